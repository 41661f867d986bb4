//! Collects nodes and items in any order and makes an [`ObjectTypes`] of them.

use crate::graph::{
    DECLARED, Item, Kind, NONE, Names, Node, OPAQUE, OPEN, ObjectTypes, Role, Scope, Slot, Symbol,
    TRAIT_OBJECT, VARIANT, Vtable, deep,
};
use crate::hash::{self, Fingerprint, Mixer};
use crate::names::{self, Shape};

/// A graph in the making. Targets of items are whatever numbers the maker has, until [`Builder::resolve`].
pub(crate) struct Builder {
    pub(crate) names: Names,
    scopes: Vec<Scope>,
    nodes: Vec<Node>,
    items: Vec<(u32, Item)>,
    functions: Vec<Symbol>,
    statics: Vec<Symbol>,
    pub(crate) vtables: Vec<Vtable>,
    pub(crate) identified: Vec<u32>,
    pub(crate) asked: Vec<u32>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            names: Names::new(),
            scopes: Vec::new(),
            nodes: Vec::new(),
            items: Vec::new(),
            functions: Vec::new(),
            statics: Vec::new(),
            vtables: Vec::new(),
            identified: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn scope(&mut self, parent: u32, name: u32) -> u32 {
        self.scopes.push(Scope { parent, name });
        (self.scopes.len() - 1) as u32
    }

    pub(crate) fn node(&mut self, kind: Kind, scope: u32, name: u32) -> u32 {
        let mut flags = 0;
        if names::is_trait_object(self.names.get(name)) {
            flags |= TRAIT_OBJECT | OPEN;
        }
        if kind == Kind::Unknown {
            flags |= OPAQUE;
        }
        self.nodes.push(Node {
            kind,
            flags,
            scope,
            name,
            size: None,
            align: 0,
            items: (0, 0),
        });
        (self.nodes.len() - 1) as u32
    }

    pub(crate) fn size(&mut self, node: u32, size: Option<u64>, align: u32) {
        let node = &mut self.nodes[node as usize];
        node.size = size;
        node.align = align;
    }

    pub(crate) fn declare(&mut self, node: u32) {
        let node = &mut self.nodes[node as usize];
        // The type behind a trait object has no definition, ever.
        if node.flags & TRAIT_OBJECT == 0 {
            node.flags |= DECLARED | OPAQUE;
        }
    }

    pub(crate) fn item(&mut self, owner: u32, item: Item) {
        self.items.push((owner, item));
    }

    pub(crate) fn function(&mut self, name: u32, node: u32) {
        self.functions.push(Symbol {
            name,
            hash: 0,
            node,
        });
    }

    pub(crate) fn variable(&mut self, name: u32, node: u32) {
        self.statics.push(Symbol {
            name,
            hash: 0,
            node,
        });
    }

    pub(crate) fn name_of(&self, node: u32) -> u32 {
        self.nodes[node as usize].name
    }

    pub(crate) fn scope_of(&self, node: u32) -> u32 {
        self.nodes[node as usize].scope
    }

    /// Replaces every target by what `resolve` makes of it.
    pub(crate) fn resolve(&mut self, mut resolve: impl FnMut(u32) -> u32) {
        let mut apply = |target: &mut u32| {
            if *target != NONE {
                *target = resolve(*target);
            }
        };
        self.items
            .iter_mut()
            .for_each(|(_, item)| apply(&mut item.target));
        self.statics
            .iter_mut()
            .for_each(|symbol| apply(&mut symbol.node));
        self.vtables
            .iter_mut()
            .for_each(|vtable| apply(&mut vtable.node));
        self.identified.iter_mut().for_each(&mut apply);
        self.asked.iter_mut().for_each(apply);
    }

    /// Makes the graph.
    pub(crate) fn finish(mut self) -> ObjectTypes {
        let items = self.sorted_items();
        self.mark_variants(&items);
        let labels = Labels::new(&self.names, &self.scopes, &self.nodes);
        for symbol in self.functions.iter_mut().chain(&mut self.statics) {
            // Mangled names have no positions to take out.
            symbol.hash = Fingerprint(labels.full[symbol.name as usize]).as_u64();
        }
        let shallow: Vec<u128> = self
            .nodes
            .iter()
            .map(|node| labels.shallow(node, &items[node.items.0 as usize..node.items.1 as usize]))
            .collect();
        let keys = self.nodes.iter().map(|node| labels.key(node)).collect();
        let deep = deep::fingerprints(&mut self.nodes, &items, &shallow);
        self.identified.sort_unstable();
        self.identified.dedup();
        self.asked.sort_unstable();
        self.asked.dedup();
        let mut types = ObjectTypes {
            names: self.names,
            scopes: self.scopes,
            nodes: self.nodes,
            items,
            shallow,
            deep,
            keys,
            functions: self.functions,
            statics: self.statics,
            vtables: self.vtables,
            identified: self.identified,
            asked: self.asked,
            content: 0,
        };
        types.content = content(&types, &labels.full);
        types
    }

    /// Puts the items of each node together, in an order that the order in the source does not change.
    fn sorted_items(&mut self) -> Vec<Item> {
        let pending = std::mem::take(&mut self.items);
        let mut ends = vec![0_u32; self.nodes.len() + 1];
        for (owner, _) in &pending {
            ends[*owner as usize + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        for (node, range) in self.nodes.iter_mut().zip(ends.windows(2)) {
            node.items = (range[0], range[1]);
        }
        let empty = Item {
            role: Role::Field,
            name: 0,
            value: 0,
            target: NONE,
        };
        let mut items = vec![empty; pending.len()];
        for (owner, item) in pending {
            let at = &mut ends[owner as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        for node in &self.nodes {
            self.order(&mut items[node.items.0 as usize..node.items.1 as usize]);
        }
        self.forget_hidden(&mut items);
        items
    }

    fn order(&self, items: &mut [Item]) {
        items.sort_by(|a, b| {
            let named = |item: &Item| {
                if item.role.is_named() {
                    self.names.get(item.name)
                } else {
                    ""
                }
            };
            (a.role, a.value)
                .cmp(&(b.role, b.value))
                .then_with(|| named(a).cmp(named(b)))
        });
        for role in [Role::Argument, Role::Parameter] {
            for (position, item) in items
                .iter_mut()
                .filter(|item| item.role == role)
                .enumerate()
            {
                item.value = position as i128;
            }
        }
    }

    /// Cuts what the runtime's boxes hide: the first argument, and the fields of the marker that is only there to name it.
    fn forget_hidden(&self, items: &mut [Item]) {
        for node in &self.nodes {
            let crate_name = || {
                let mut scope = node.scope;
                while scope != NONE && self.scopes[scope as usize].parent != NONE {
                    scope = self.scopes[scope as usize].parent;
                }
                (scope != NONE).then(|| self.names.get(self.scopes[scope as usize].name))
            };
            let name = self.names.get(node.name);
            if !crate_name().is_some_and(|root| names::hides_first_argument(root, name)) {
                continue;
            }
            for item in &mut items[node.items.0 as usize..node.items.1 as usize] {
                let names_hidden = item.role == Role::Field && names::is_hidden_marker(name);
                if names_hidden || (item.role == Role::Argument && item.value == 0) {
                    item.target = NONE;
                }
            }
        }
    }

    fn mark_variants(&mut self, items: &[Item]) {
        for item in items {
            if matches!(item.role, Role::Variant | Role::OtherVariant) && item.target != NONE {
                self.nodes[item.target as usize].flags |= VARIANT;
            }
        }
    }
}

/// Hashes of names, computed once for each.
struct Labels {
    /// Of whole names without positions.
    full: Vec<u128>,
    /// Of types' and scopes' names without what the graph has.
    base: Vec<u128>,
    scopes: Vec<u128>,
}

impl Labels {
    fn new(names: &Names, scopes: &[Scope], nodes: &[Node]) -> Labels {
        let full: Vec<u128> = (0..names.len() as u32)
            .map(|id| hash::of_bytes(names::without_positions(names.get(id)).as_bytes()))
            .collect();
        let mut base = vec![0; full.len()];
        let of_nodes = nodes.iter().map(|node| node.name);
        for name in scopes.iter().map(|scope| scope.name).chain(of_nodes) {
            let label = &mut base[name as usize];
            if *label == 0 {
                *label = base_label(names.get(name), full[name as usize]);
            }
        }
        let mut labels = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let mut mixer = Mixer::new(5);
            // A parent is always made before what is in it.
            mixer.wide(labels.get(scope.parent as usize).copied().unwrap_or(0));
            mixer.wide(base[scope.name as usize]);
            labels.push(mixer.finish());
        }
        Labels {
            full,
            base,
            scopes: labels,
        }
    }

    fn of_scope(&self, scope: u32) -> u128 {
        self.scopes.get(scope as usize).copied().unwrap_or(0)
    }

    fn shallow(&self, node: &Node, items: &[Item]) -> u128 {
        let mut mixer = Mixer::new(6);
        mixer.word(node.kind as u64 | u64::from(node.flags & (DECLARED | TRAIT_OBJECT)) << 8);
        mixer.word(node.size.map_or(u64::MAX, |size| size));
        mixer.word(u64::from(node.align));
        if node.kind != Kind::Function {
            mixer.wide(self.of_scope(node.scope));
            mixer.wide(self.base[node.name as usize]);
        }
        for item in items {
            mixer.word(item.role as u64);
            mixer.wide(item.value.cast_unsigned());
            if item.role.is_named() {
                mixer.wide(self.full[item.name as usize]);
            }
        }
        mixer.finish()
    }

    fn key(&self, node: &Node) -> u128 {
        let mut mixer = Mixer::new(7);
        mixer.wide(self.of_scope(node.scope));
        mixer.wide(self.full[node.name as usize]);
        mixer.finish()
    }
}

fn base_label(name: &str, full: u128) -> u128 {
    let mut mixer = Mixer::new(8);
    let mut tagged = |tag: u64, text: &str| {
        mixer.word(tag);
        mixer.bytes(text.as_bytes());
    };
    match names::shape(name) {
        Shape::Path(base) => tagged(1, &names::without_positions(base)),
        Shape::Pointer(sigil, pointee) => {
            tagged(2, sigil);
            tagged(2, pointee);
        }
        Shape::Function(prefix) => tagged(3, prefix),
        Shape::Bracket(bracket) => tagged(4, bracket.encode_utf8(&mut [0; 4])),
        Shape::Whole => mixer.wide(full),
    }
    for (position, constant) in names::constants(name) {
        mixer.word(position as u64);
        mixer.bytes(constant.as_bytes());
    }
    mixer.finish()
}

/// A sum over all facts, so that their order does not count.
fn content(types: &ObjectTypes, names: &[u128]) -> u128 {
    let mut sum = 0_u128;
    let mut add = |domain: u64, words: &mut dyn Iterator<Item = u128>| {
        let mut mixer = Mixer::new(domain);
        words.for_each(|word| mixer.wide(word));
        sum = sum.wrapping_add(mixer.finish());
    };
    let deep = |node: u32| types.deep.get(node as usize).copied().unwrap_or(0);
    for (key, deep) in types.keys.iter().zip(&types.deep) {
        add(9, &mut [*key, *deep].into_iter());
    }
    for symbol in types.functions.iter().chain(&types.statics) {
        add(
            10,
            &mut [names[symbol.name as usize], deep(symbol.node)].into_iter(),
        );
    }
    for vtable in &types.vtables {
        let slots = vtable.slots.iter().map(|slot| match slot {
            Slot::Function(name) => names[*name as usize],
            Slot::Vtable => 1,
            Slot::Vacant => 0,
        });
        let head = [names[vtable.name as usize], deep(vtable.node)];
        add(11, &mut head.into_iter().chain(slots));
    }
    for node in types.identified.iter().chain(&types.asked) {
        add(12, &mut std::iter::once(deep(*node)));
    }
    sum
}
