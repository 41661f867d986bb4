//! Deep fingerprints: one hash for a node and all that is reachable from it, cycles included.
//!
//! Strongly connected components are found with Tarjan's algorithm (SIAM J. Comput. 1, 1972), which yields them after
//! everything they refer to. Inside a component, colours are refined until no class splits any more; the component's hash
//! is that of its quotient. Equal fingerprints therefore mean that no walk can tell two nodes apart, and nodes that no walk
//! can tell apart get equal fingerprints, whatever else is in their object.

use crate::graph::{Item, NONE, Node};
use crate::hash::Mixer;

/// Flags that a node inherits from what it refers to.
const INHERITED: u8 = crate::graph::OPEN | crate::graph::OPAQUE;

/// Computes the deep fingerprints and passes the inherited flags on.
pub(super) fn fingerprints(nodes: &mut [Node], items: &[Item], labels: &[u128]) -> Vec<u128> {
    let mut components = Components::new(nodes.len());
    let mut hashes = vec![0; nodes.len()];
    let mut members = vec![false; nodes.len()];
    for root in 0..nodes.len() as u32 {
        if components.index[root as usize] != UNSEEN {
            continue;
        }
        components.visit(root, nodes, items, &mut |component, nodes| {
            let graph = Graph {
                nodes,
                items,
                labels,
            };
            graph.inherit(component).apply(component, nodes);
            let graph = Graph {
                nodes,
                items,
                labels,
            };
            match component {
                [single] if !graph.targets(*single).any(|target| target == *single) => {
                    hashes[*single as usize] = graph.simple(*single, &hashes);
                }
                _ => graph.cyclic(component, &mut hashes, &mut members),
            }
        });
    }
    hashes
}

struct Graph<'a> {
    nodes: &'a [Node],
    items: &'a [Item],
    labels: &'a [u128],
}

struct Flags(u8);

impl Flags {
    fn apply(self, component: &[u32], nodes: &mut [Node]) {
        for node in component {
            nodes[*node as usize].flags |= self.0;
        }
    }
}

impl Graph<'_> {
    fn targets(&self, node: u32) -> impl Iterator<Item = u32> {
        let (start, end) = self.nodes[node as usize].items;
        self.items[start as usize..end as usize]
            .iter()
            .map(|item| item.target)
    }

    fn inherit(&self, component: &[u32]) -> Flags {
        let mut flags = 0;
        for node in component {
            flags |= self.nodes[*node as usize].flags;
            for target in self.targets(*node).filter(|target| *target != NONE) {
                flags |= self.nodes[target as usize].flags;
            }
        }
        Flags(flags & INHERITED)
    }

    fn simple(&self, node: u32, hashes: &[u128]) -> u128 {
        let mut mixer = Mixer::new(1);
        mixer.wide(self.labels[node as usize]);
        for target in self.targets(node) {
            mixer.wide(if target == NONE {
                0
            } else {
                hashes[target as usize]
            });
        }
        mixer.finish()
    }

    fn cyclic(&self, component: &[u32], hashes: &mut [u128], members: &mut [bool]) {
        for node in component {
            members[*node as usize] = true;
            hashes[*node as usize] = 0;
        }
        let mut colours: Vec<u128> = component
            .iter()
            .map(|node| self.simple(*node, hashes))
            .collect();
        let mut classes = distinct(&colours);
        loop {
            store(component, &colours, hashes);
            let refined: Vec<u128> = component
                .iter()
                .map(|node| self.refined(*node, hashes, members))
                .collect();
            let count = distinct(&refined);
            colours = refined;
            if count == classes {
                break;
            }
            classes = count;
        }
        let quotient = quotient(&colours);
        for (node, colour) in component.iter().zip(&colours) {
            let mut mixer = Mixer::new(2);
            mixer.wide(quotient);
            mixer.wide(*colour);
            hashes[*node as usize] = mixer.finish();
            members[*node as usize] = false;
        }
    }

    fn refined(&self, node: u32, hashes: &[u128], members: &[bool]) -> u128 {
        let mut mixer = Mixer::new(3);
        mixer.wide(hashes[node as usize]);
        for target in self.targets(node) {
            if target != NONE && members[target as usize] {
                mixer.wide(hashes[target as usize]);
            }
        }
        mixer.finish()
    }
}

fn store(component: &[u32], colours: &[u128], hashes: &mut [u128]) {
    for (node, colour) in component.iter().zip(colours) {
        hashes[*node as usize] = *colour;
    }
}

fn sorted(colours: &[u128]) -> Vec<u128> {
    let mut sorted = colours.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

fn distinct(colours: &[u128]) -> usize {
    sorted(colours).len()
}

/// Each last colour holds a class's colour and those of its targets: all of them together are the component's quotient.
fn quotient(colours: &[u128]) -> u128 {
    let mut mixer = Mixer::new(4);
    for colour in sorted(colours) {
        mixer.wide(colour);
    }
    mixer.finish()
}

const UNSEEN: u32 = u32::MAX;

/// Tarjan's algorithm with its own stack, since types nest deeper than threads' stacks.
struct Components {
    index: Vec<u32>,
    low: Vec<u32>,
    on_stack: Vec<bool>,
    stack: Vec<u32>,
    /// Node and the position in its items.
    calls: Vec<(u32, u32)>,
    next: u32,
}

impl Components {
    fn new(count: usize) -> Components {
        Components {
            index: vec![UNSEEN; count],
            low: vec![0; count],
            on_stack: vec![false; count],
            stack: Vec::new(),
            calls: Vec::new(),
            next: 0,
        }
    }

    fn visit(
        &mut self,
        root: u32,
        nodes: &mut [Node],
        items: &[Item],
        found: &mut impl FnMut(&[u32], &mut [Node]),
    ) {
        self.enter(root, nodes);
        while let Some((node, position)) = self.calls.last_mut() {
            let node = *node;
            if *position < nodes[node as usize].items.1 {
                let target = items[*position as usize].target;
                *position += 1;
                self.edge(node, target, nodes);
                continue;
            }
            self.calls.pop();
            if let Some((caller, _)) = self.calls.last() {
                let caller = *caller as usize;
                self.low[caller] = self.low[caller].min(self.low[node as usize]);
            }
            if self.low[node as usize] == self.index[node as usize] {
                let start = self.start_of(node);
                found(&self.stack[start..], nodes);
                for member in self.stack.drain(start..) {
                    self.on_stack[member as usize] = false;
                }
            }
        }
    }

    fn enter(&mut self, node: u32, nodes: &[Node]) {
        self.index[node as usize] = self.next;
        self.low[node as usize] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node as usize] = true;
        self.calls.push((node, nodes[node as usize].items.0));
    }

    fn edge(&mut self, node: u32, target: u32, nodes: &[Node]) {
        if target == NONE {
            return;
        }
        if self.index[target as usize] == UNSEEN {
            self.enter(target, nodes);
        } else if self.on_stack[target as usize] {
            let low = &mut self.low[node as usize];
            *low = (*low).min(self.index[target as usize]);
        }
    }

    fn start_of(&self, node: u32) -> usize {
        self.stack
            .iter()
            .rposition(|member| *member == node)
            .unwrap_or(self.stack.len())
    }
}
