//! Symbols and sections as nodes, and the references among them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A symbol or section: by name where other objects see it, else by object and position.
pub type Node = u64;

/// The node of a symbol that other objects see.
pub fn node_of(symbol: &str) -> Node {
    xxhash_rust::xxh3::xxh3_64(symbol.as_bytes())
}

/// Nodes are digests already, and there are hundreds of thousands.
#[derive(Debug, Default)]
pub struct OwnHash(u64);

impl Hasher for OwnHash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, node: u64) {
        self.0 = node;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Something for each of some nodes.
pub type NodeMap<T> = HashMap<Node, T, BuildHasherDefault<OwnHash>>;

/// Some nodes.
pub type NodeSet = HashSet<Node, BuildHasherDefault<OwnHash>>;

/// References, each once, in an order in which they are found by what refers.
#[derive(Debug, Default)]
pub struct Edges(Vec<(Node, Node)>);

impl Edges {
    /// What a node refers to.
    pub fn of(&self, node: Node) -> impl Iterator<Item = Node> {
        let start = self.0.partition_point(|(from, _)| *from < node);
        let edges = self.0[start..].iter();
        edges
            .take_while(move |(from, _)| *from == node)
            .map(|(_, to)| *to)
    }

    /// The references from what is referred to.
    pub fn reversed(&self) -> Self {
        self.0.iter().map(|&(from, to)| (to, from)).collect()
    }
}

impl FromIterator<(Node, Node)> for Edges {
    fn from_iter<I: IntoIterator<Item = (Node, Node)>>(edges: I) -> Self {
        let mut edges: Vec<_> = edges.into_iter().collect();
        edges.sort_unstable();
        edges.dedup();
        edges.shrink_to_fit();
        Self(edges)
    }
}
