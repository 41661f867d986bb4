//! The graph of types of one object file: nodes are types and signatures, items are what a node is made of.

pub(crate) mod builder;
mod deep;

use crate::hash::Fingerprint;
use crate::names;

/// Stands for "no node": the unit type behind a missing reference.
pub(crate) const NONE: u32 = u32::MAX;

/// How deep by-value content and unnamed types may nest: more only occurs in malformed debug information.
pub(crate) const MAX_DEPTH: u32 = 128;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Base,
    Pointer,
    /// A struct, tuple, enum with data, closure or future.
    Struct,
    Union,
    Array,
    /// An enum without data.
    Enumeration,
    /// A function's signature, or what a function pointer points at.
    Function,
    /// A reference to something this reader does not know.
    Unknown,
}

/// The node is declared only; its definition is elsewhere or nowhere.
pub(crate) const DECLARED: u8 = 1;
/// The node is a trait object's type.
pub(crate) const TRAIT_OBJECT: u8 = 2;
/// A trait object is reachable: the object's own fingerprint does not tell all.
pub(crate) const OPEN: u8 = 4;
/// A declaration is reachable.
pub(crate) const OPAQUE: u8 = 8;
/// The struct of one variant of an enum, described by the enum.
pub(crate) const VARIANT: u8 = 16;

/// A type or a signature.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) scope: u32,
    pub(crate) name: u32,
    /// In bytes.
    pub(crate) size: Option<u64>,
    /// In bytes; 0 where the debug information does not say.
    pub(crate) align: u32,
    pub(crate) items: (u32, u32),
}

/// What an item is to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A type argument; the value is its position.
    Argument,
    /// A field; the value is its offset in bytes.
    Field,
    /// The tag of an enum; the value is its offset in bytes.
    Tag,
    /// A variant; the value is that of its tag.
    Variant,
    /// The variant that is meant by all other values of the tag.
    OtherVariant,
    /// A variant of an enum without data; the value is its own.
    Enumerator,
    /// The element of an array; the value is the count.
    Element,
    Pointee,
    /// A parameter; the value is its position.
    Parameter,
    Result,
}

impl Role {
    /// True where the item's name is a part of the layout.
    pub(crate) fn is_named(self) -> bool {
        matches!(
            self,
            Role::Field | Role::Variant | Role::OtherVariant | Role::Enumerator
        )
    }

    /// True where the target lies inside the node.
    pub(crate) fn is_by_value(self) -> bool {
        matches!(
            self,
            Role::Field | Role::Tag | Role::Variant | Role::OtherVariant | Role::Element
        )
    }
}

/// A part of a node.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) role: Role,
    pub(crate) name: u32,
    pub(crate) value: i128,
    pub(crate) target: u32,
}

/// A namespace, or a type that has types inside.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) parent: u32,
    pub(crate) name: u32,
}

/// A symbol with a type: a static's or a function's.
#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    /// The hash of the name.
    pub(crate) hash: u64,
    pub(crate) node: u32,
}

/// One place in a vtable after drop, size and alignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A function, by its mangled name (a number in the object's names).
    Function(u32),
    /// A pointer to the vtable of a supertrait.
    Vtable,
    /// Nothing: the method needs `Self: Sized`.
    Vacant,
}

/// A vtable that the object holds.
#[derive(Clone, Debug)]
pub(crate) struct Vtable {
    /// `<Type as Trait>::{vtable}`.
    pub(crate) name: u32,
    /// The type it is of, or [`NONE`].
    pub(crate) node: u32,
    /// Empty where the slots could not be read.
    pub(crate) slots: Vec<Slot>,
}

/// The type facts of one object file. Make it with [`read_object`](crate::read_object), keep it by the object's content.
#[derive(Debug)]
pub struct ObjectTypes {
    pub(crate) names: Names,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) items: Vec<Item>,
    /// The hash of each node alone: what it is, without what it refers to.
    pub(crate) shallow: Vec<u128>,
    /// The hash of each node with everything reachable from it.
    pub(crate) deep: Vec<u128>,
    /// The hash of each node's full name.
    pub(crate) keys: Vec<u128>,
    pub(crate) functions: Vec<Symbol>,
    pub(crate) statics: Vec<Symbol>,
    pub(crate) vtables: Vec<Vtable>,
    /// Types whose values can be told by their `TypeId`: those with a vtable that has `Any::type_id`.
    pub(crate) identified: Vec<u32>,
    /// Types whose `TypeId` the code asks for.
    pub(crate) asked: Vec<u32>,
    /// The hash of all facts.
    pub(crate) content: u128,
}

impl ObjectTypes {
    /// The fingerprint of all facts: equal if nothing a comparison looks at differs.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.content)
    }

    /// How many types and signatures are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True if the object holds no type, as one compiled without debug information does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn items(&self, id: u32) -> &[Item] {
        let (start, end) = self.node(id).items;
        &self.items[start as usize..end as usize]
    }

    pub(crate) fn name(&self, id: u32) -> &str {
        self.names.get(id)
    }

    /// The crate that declares a node, or nothing for what belongs to none (pointers, tuples, base types).
    pub(crate) fn crate_of(&self, id: u32) -> Option<&str> {
        let mut scope = self.node(id).scope;
        let mut root = None;
        while scope != NONE {
            root = Some(scope);
            scope = self.scopes[scope as usize].parent;
        }
        root.map(|scope| self.name(self.scopes[scope as usize].name))
    }

    /// The full name for people and for lookups: path, arguments, sigils.
    pub(crate) fn full_name(&self, id: u32) -> String {
        self.name_at_depth(id, 0)
    }

    fn name_at_depth(&self, id: u32, depth: u32) -> String {
        if id == NONE {
            return "()".to_owned();
        }
        if depth > MAX_DEPTH {
            return "…".to_owned();
        }
        let node = self.node(id);
        let first = self.items(id).first();
        let target = |item: &Item| self.name_at_depth(item.target, depth + 1);
        match (node.kind, self.name(node.name)) {
            (Kind::Array, _) => first.map_or_else(
                || "[]".to_owned(),
                |item| format!("[{}; {}]", target(item), item.value),
            ),
            (Kind::Function, "") => "fn".to_owned(),
            (Kind::Pointer, "") => {
                first.map_or_else(|| "*()".to_owned(), |item| format!("*{}", target(item)))
            }
            (Kind::Unknown, _) => "?".to_owned(),
            (_, name) => {
                let mut path = self.scope_name(node.scope);
                path.push_str(name);
                path
            }
        }
    }

    fn scope_name(&self, scope: u32) -> String {
        let mut parts = Vec::new();
        let mut at = scope;
        while at != NONE {
            let scope = &self.scopes[at as usize];
            parts.push(self.name(scope.name));
            at = scope.parent;
        }
        let mut path = String::new();
        for part in parts.iter().rev() {
            path.push_str(part);
            path.push_str("::");
        }
        path
    }

    /// The path of a type without its arguments: `app::Grid` of `app::Grid<u8>`. Siblings are not told apart.
    pub(crate) fn base_path(&self, id: u32) -> String {
        let node = self.node(id);
        let path = self.scope_name(node.scope) + names::base(self.name(node.name));
        names::without_positions(&path).into_owned()
    }

    /// The name that has to be equal in two versions for a node to be the same type.
    pub(crate) fn identity(&self, id: u32) -> String {
        names::identity(&self.full_name(id))
    }
}

/// Strings of one object, each kept once and known by a number. Number 0 is the empty string.
#[derive(Debug)]
pub(crate) struct Names {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    pub(crate) fn new() -> Names {
        Names {
            text: String::new(),
            ends: vec![0],
        }
    }

    pub(crate) fn push(&mut self, name: &str) -> u32 {
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        (self.ends.len() - 1) as u32
    }

    pub(crate) fn get(&self, id: u32) -> &str {
        let end = self.ends[id as usize] as usize;
        let start = (id as usize)
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.text[start..end]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}
