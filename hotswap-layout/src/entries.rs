//! Turns entries of debug information, in the order in which they stand, into a graph.

use crate::attributes::{Attributes, Location, Tag, Text};
use crate::graph::builder::Builder;
use crate::graph::{Item, Kind, NONE, ObjectTypes, Role, Slot, Vtable};
use crate::hash::QuickMap;
use crate::names;
use crate::object_file::{Addresses, ObjectFile, VtableWord};

/// What the children of an entry belong to.
#[derive(Clone, Copy)]
enum Frame {
    Scope(u32),
    Type {
        node: u32,
        scope: u32,
    },
    Array {
        node: u32,
        element: u32,
    },
    Variants {
        node: u32,
        scope: u32,
    },
    Variant {
        node: u32,
        scope: u32,
        value: Option<i128>,
    },
    Function {
        node: u32,
        scope: u32,
    },
    /// The inside of a function.
    Code {
        scope: u32,
    },
    /// A function that tells its type argument by its `TypeId`.
    Identified {
        scope: u32,
        downcast: bool,
    },
}

impl Frame {
    /// The scope of what stands in the frame; types get theirs when first needed.
    fn scope(self) -> u32 {
        match self {
            Frame::Scope(scope)
            | Frame::Type { scope, .. }
            | Frame::Variants { scope, .. }
            | Frame::Variant { scope, .. }
            | Frame::Function { scope, .. }
            | Frame::Code { scope }
            | Frame::Identified { scope, .. } => scope,
            Frame::Array { .. } => NONE,
        }
    }
}

struct PendingVtable {
    name: u32,
    location: Location,
    /// The offset of the vtable's own type, which names the type it is of.
    of: u32,
}

/// The graph in the making and the entries that are open.
pub(crate) struct Entries {
    builder: Builder,
    stack: Vec<Frame>,
    /// The offset of each node's entry, ascending.
    offsets: Vec<u32>,
    interned: QuickMap<usize, u32>,
    vtables: Vec<PendingVtable>,
    /// For types of vtables: the types they are of, and their own sizes.
    containing: QuickMap<u32, (u32, u64)>,
}

impl Entries {
    pub(crate) fn new() -> Entries {
        Entries {
            builder: Builder::new(),
            stack: Vec::new(),
            offsets: Vec::new(),
            interned: QuickMap::default(),
            vtables: Vec::new(),
            containing: QuickMap::default(),
        }
    }

    /// Closes what is deeper than `depth`.
    pub(crate) fn at_depth(&mut self, depth: usize) {
        self.stack.truncate(depth);
    }

    /// Whether an entry of this kind, at the depth that was set, has to be read. Types and statics of functions stand in
    /// namespaces of the functions' names, never inside.
    pub(crate) fn wants(&self, tag: Tag) -> bool {
        let parent = self.parent();
        match tag {
            Tag::Variable => !matches!(parent, Frame::Code { .. } | Frame::Function { .. }),
            Tag::Parameter => matches!(parent, Frame::Function { .. }),
            Tag::Argument => !matches!(parent, Frame::Code { .. }),
            Tag::Code => false,
            _ => true,
        }
    }

    /// Takes an entry that was skipped.
    pub(crate) fn skip(&mut self, depth: usize) {
        let scope = self.parent().scope();
        self.open(depth, Frame::Code { scope });
    }

    /// Takes an entry that was read.
    pub(crate) fn take(
        &mut self,
        depth: usize,
        tag: Tag,
        offset: u32,
        attributes: &Attributes<'_>,
        opens: bool,
    ) {
        let frame = self.entry(tag, offset, attributes);
        if opens {
            self.open(depth, frame);
        }
    }

    fn open(&mut self, depth: usize, frame: Frame) {
        // An entry without a parent would be malformed; its children then belong to nothing.
        self.stack.resize(depth, Frame::Scope(NONE));
        self.stack.push(frame);
    }

    fn parent(&self) -> Frame {
        self.stack.last().copied().unwrap_or(Frame::Scope(NONE))
    }

    fn intern(&mut self, text: Option<Text<'_>>) -> u32 {
        let Some(text) = text else {
            return 0;
        };
        if let Some(known) = text.offset.and_then(|offset| self.interned.get(&offset)) {
            return *known;
        }
        let bytes = text.bytes();
        let id = match std::str::from_utf8(bytes) {
            Ok(name) => self.builder.names.push(name),
            Err(_) => self.builder.names.push(&String::from_utf8_lossy(bytes)),
        };
        if let Some(offset) = text.offset {
            self.interned.insert(offset, id);
        }
        id
    }

    fn entry(&mut self, tag: Tag, offset: u32, attributes: &Attributes<'_>) -> Frame {
        let parent = self.parent();
        match (tag, parent) {
            (Tag::Unit, _) => Frame::Scope(NONE),
            (Tag::Namespace, _) => {
                let name = self.intern(attributes.name);
                let outer = self.scope_of_parent();
                Frame::Scope(self.builder.scope(outer, name))
            }
            (Tag::Type(kind), _) => self.type_entry(kind, offset, attributes),
            (Tag::Function, _) => self.function(offset, attributes),
            (Tag::Variable, _) => {
                self.variable(attributes);
                Frame::Scope(parent.scope())
            }
            (Tag::Variants, Frame::Type { node, scope }) => Frame::Variants { node, scope },
            (Tag::Variant, Frame::Variants { node, scope }) => Frame::Variant {
                node,
                scope,
                value: attributes.value,
            },
            _ => {
                self.part(tag, parent, attributes);
                Frame::Scope(parent.scope())
            }
        }
    }

    /// The scope of the innermost frame; a type becomes a scope when the first type stands in it.
    fn scope_of_parent(&mut self) -> u32 {
        match self.stack.last().copied() {
            Some(
                Frame::Type { node, .. }
                | Frame::Variants { node, .. }
                | Frame::Variant { node, .. },
            ) => {
                let name = self.builder.name_of(node);
                let parent = self.builder.scope_of(node);
                self.builder.scope(parent, name)
            }
            Some(frame) => frame.scope(),
            None => NONE,
        }
    }

    fn new_node(&mut self, kind: Kind, offset: u32, attributes: &Attributes<'_>) -> u32 {
        let name = self.intern(attributes.name);
        let scope = self.scope_of_parent();
        let node = self.builder.node(kind, scope, name);
        self.builder.size(node, attributes.size, attributes.align);
        if attributes.declaration {
            self.builder.declare(node);
        }
        self.offsets.push(offset);
        node
    }

    fn type_entry(&mut self, kind: Kind, offset: u32, attributes: &Attributes<'_>) -> Frame {
        let node = self.new_node(kind, offset, attributes);
        let target = attributes.target.unwrap_or(NONE);
        match kind {
            Kind::Array => {
                return Frame::Array {
                    node,
                    element: target,
                };
            }
            Kind::Function => self.result(node, attributes),
            Kind::Base if target == NONE => {}
            Kind::Pointer | Kind::Base | Kind::Enumeration => {
                self.item(node, Role::Pointee, 0, 0, target)
            }
            _ => {}
        }
        if let Some(containing) = attributes.containing {
            let size = attributes.size.unwrap_or(0);
            self.containing.insert(offset, (containing, size));
        }
        let scope = self.builder.scope_of(node);
        if kind == Kind::Function {
            Frame::Function { node, scope }
        } else {
            Frame::Type { node, scope }
        }
    }

    fn item(&mut self, owner: u32, role: Role, name: u32, value: i128, target: u32) {
        self.builder.item(
            owner,
            Item {
                role,
                name,
                value,
                target,
            },
        );
    }

    fn result(&mut self, node: u32, attributes: &Attributes<'_>) {
        self.item(node, Role::Result, 0, 0, attributes.target.unwrap_or(NONE));
    }

    fn part(&mut self, tag: Tag, parent: Frame, attributes: &Attributes<'_>) {
        let target = attributes.target.unwrap_or(NONE);
        let value = attributes.value.unwrap_or(0);
        let (owner, role, value) = match (tag, parent) {
            (Tag::Member, Frame::Type { node, .. }) => (node, Role::Field, value),
            (Tag::Member, Frame::Variants { node, .. }) => (node, Role::Tag, value),
            (Tag::Member, Frame::Variant { node, value, .. }) => match value {
                Some(value) => (node, Role::Variant, value),
                None => (node, Role::OtherVariant, 0),
            },
            (Tag::Enumerator, Frame::Type { node, .. }) => (node, Role::Enumerator, value),
            (Tag::Range, Frame::Array { node, element }) => {
                let count = attributes.value.unwrap_or(-1);
                return self.item(node, Role::Element, 0, count, element);
            }
            (Tag::Argument, Frame::Identified { downcast, .. }) => {
                let types = if downcast {
                    &mut self.builder.identified
                } else {
                    &mut self.builder.asked
                };
                return types.push(target);
            }
            (Tag::Argument, Frame::Type { node, .. } | Frame::Function { node, .. }) => {
                (node, Role::Argument, 0)
            }
            (Tag::Parameter, Frame::Function { node, .. }) => (node, Role::Parameter, 0),
            _ => return,
        };
        let name = self.intern(attributes.name);
        self.item(owner, role, name, value, target);
    }

    fn function(&mut self, offset: u32, attributes: &Attributes<'_>) -> Frame {
        let scope = self.stack.last().map_or(NONE, |frame| frame.scope());
        let Some(linkage) = attributes.linkage else {
            return Frame::Code { scope };
        };
        if let Some(downcast) = attributes
            .name
            .and_then(|name| type_id_use(&name, &linkage))
        {
            return Frame::Identified { scope, downcast };
        }
        if !FUNCTIONS.iter().any(|prefix| linkage.starts_with(prefix)) {
            return Frame::Code { scope };
        }
        let node = self.builder.node(Kind::Function, scope, 0);
        self.offsets.push(offset);
        self.result(node, attributes);
        let name = self.intern(Some(linkage));
        self.builder.function(name, node);
        Frame::Function { node, scope }
    }

    fn variable(&mut self, attributes: &Attributes<'_>) {
        let target = attributes.target.unwrap_or(NONE);
        if attributes.linkage.is_some() {
            let name = self.intern(attributes.linkage);
            self.builder.variable(name, target);
            return;
        }
        let is_vtable = || {
            attributes
                .name
                .is_some_and(|name| name.bytes().ends_with(b"::{vtable}"))
        };
        if !is_vtable() {
            // The name of what is not mangled stands for both.
            let name = self.intern(attributes.name);
            self.builder.variable(name, target);
        } else if let Some(location) = attributes.location.filter(|_| self.stack.len() == 1) {
            let name = self.intern(attributes.name);
            self.vtables.push(PendingVtable {
                name,
                location,
                of: target,
            });
        }
    }

    /// Makes the graph; `info` and `table` hold the addresses of vtables, whose slots `file` knows.
    pub(crate) fn finish(
        mut self,
        file: &mut ObjectFile<'_>,
        info: &Addresses,
        table: &Addresses,
    ) -> ObjectTypes {
        let pending = std::mem::take(&mut self.vtables);
        for vtable in pending {
            self.vtable(&vtable, file, info, table);
        }
        let offsets = self.offsets;
        let unknown = std::cell::Cell::new(false);
        let count = offsets.len() as u32;
        self.builder.resolve(|offset| {
            offsets.binary_search(&offset).map_or_else(
                |_| {
                    unknown.set(true);
                    count
                },
                |node| node as u32,
            )
        });
        if unknown.get() {
            self.builder.node(Kind::Unknown, NONE, 0);
        }
        self.builder.finish()
    }

    fn vtable(
        &mut self,
        vtable: &PendingVtable,
        file: &mut ObjectFile<'_>,
        info: &Addresses,
        table: &Addresses,
    ) {
        let (node, size) = self
            .containing
            .get(&vtable.of)
            .copied()
            .unwrap_or((NONE, 0));
        let address = match vtable.location {
            Location::Info(offset) => info.at(offset),
            Location::Table(offset) => table.at(offset),
        };
        let words = address.map_or_else(Vec::new, |address| file.vtable(address, size));
        let slots: Vec<Slot> = words
            .into_iter()
            .map(|word| match word {
                VtableWord::Function(name) => Slot::Function(self.builder.names.push(name)),
                VtableWord::Data => Slot::Vtable,
                VtableWord::Nothing => Slot::Vacant,
            })
            .collect();
        let of_any = names::vtable_parts(self.builder.names.get(vtable.name))
            .is_some_and(|(_, of)| of == "core::any::Any");
        let tells_type = slots
            .iter()
            .any(|slot| matches!(slot, Slot::Function(name) if self.builder.names.get(*name).contains("3Any7type_id")));
        if (of_any || tells_type) && node != NONE {
            self.builder.identified.push(node);
        }
        self.builder.vtables.push(Vtable {
            name: vtable.name,
            node,
            slots,
        });
    }
}

/// Mangled prefixes of the functions that can be entries' bodies or stand in vtables: closures, methods of traits, and shims.
const FUNCTIONS: [&str; 4] = ["_RNC", "_RNvX", "_RNvY", "_RNS"];

/// How the names of functions begin that take a value for one of the type that is their argument.
const DOWNCASTS: [&str; 3] = ["downcast<", "downcast_ref<", "downcast_mut<"];

/// The functions that tell types apart by identity: false for `TypeId::of`, true for `<dyn Error>::is` and for what any
/// crate calls a downcast, such as that of `anyhow::Error`.
fn type_id_use(name: &Text<'_>, linkage: &Text<'_>) -> Option<bool> {
    let contains = |needle: &[u8]| {
        linkage
            .bytes()
            .windows(needle.len())
            .any(|window| window == needle)
    };
    if name.starts_with("of<") && contains(b"6TypeId2of") {
        Some(false)
    } else {
        let is_of_error = || name.starts_with("is<") && contains(b"4core5error");
        let is_downcast = DOWNCASTS.iter().any(|start| name.starts_with(start));
        (is_downcast || is_of_error()).then_some(true)
    }
}
