//! Which parts of which objects an image needs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::nodes::{Node, NodeSet};
use super::{Index, References};

/// The parts of objects that an image needs: sections, by index, of objects, by digest.
pub type Parts = BTreeMap<u128, BTreeSet<usize>>;

/// What an image is made for.
#[derive(Debug, Default)]
pub struct Seeds<'a> {
    /// The objects that it may be made of.
    pub members: Vec<u128>,
    /// Those among them that the host does not have.
    pub changed: Vec<u128>,
    /// The sections that the host has, by digest.
    pub known: Option<&'a HashSet<u64>>,
    /// Symbols of changed objects that shall be there whether they changed or not.
    pub also: HashSet<&'a str>,
    /// Statics that the host's own code finds in other places: what leads to them shall be there, in
    /// whatever object it stands.
    pub elsewhere: HashSet<&'a str>,
    /// Objects come along as a whole.
    pub whole: bool,
}

impl Index {
    /// The digests of all sections in these objects.
    pub fn sections(&self, objects: impl IntoIterator<Item = u128>) -> HashSet<u64> {
        let objects = objects.into_iter();
        let objects = objects.filter_map(|digest| self.objects.get(&digest));
        let sections = objects.flat_map(|object| &object.sections);
        sections.filter_map(|section| section.digest).collect()
    }

    /// What an image needs: what the host has otherwise or not at all, all code and data that leads to
    /// it, and what these need that the host does not give away. What is left out is in the host as it
    /// would be in the image.
    pub fn needed(&self, seeds: &Seeds<'_>, exported: impl Fn(Node) -> bool) -> Parts {
        let mut search = Search {
            index: self,
            members: seeds.members.iter().copied().collect(),
            whole: seeds.whole,
            kept: HashMap::new(),
            todo: Vec::new(),
        };
        // What is registered by standing in a section is registered once more in the image, and who reads
        // what is registered shall read the image's.
        let gathered = seeds.members.iter().filter_map(|&digest| {
            let object = self.objects.get(&digest)?;
            (!object.gathered.is_empty()).then_some((digest, object))
        });
        let gathered: Vec<_> = gathered.collect();
        let bounds = gathered.iter().flat_map(|(_, object)| &object.gathered);
        search.add_users(seeds, bounds.copied());
        for (digest, _) in gathered {
            search.keep_all(digest);
        }
        search.add_needs(exported);
        search.parts()
    }
}

/// A search for all that an image needs.
struct Search<'a> {
    index: &'a Index,
    members: HashSet<u128>,
    whole: bool,
    /// Sections that are needed, by object.
    kept: HashMap<u128, NodeSet>,
    /// Those whose needs were not looked at yet.
    todo: Vec<(u128, Node)>,
}

impl Search<'_> {
    /// Follows references backwards from all that changed, and from these nodes.
    fn add_users(&mut self, seeds: &Seeds<'_>, nodes: impl Iterator<Item = Node>) {
        // What was followed before, object by object, and what others see among it.
        let mut followed: HashMap<u128, NodeSet> = HashMap::new();
        let mut seen: NodeSet = nodes.collect();
        let mut todo: Vec<Node> = seen.iter().copied().collect();
        let changed = seeds.changed.iter().map(|digest| (digest, true));
        let members = seeds.members.iter().map(|digest| (digest, false));
        for (&digest, changed) in changed.chain(members) {
            let Some(object) = self.index.objects.get(&digest) else {
                continue;
            };
            let nodes = match changed {
                true => object.seeds(seeds),
                false => object.statics_in(&seeds.elsewhere),
            };
            for node in nodes {
                let shown = object.shown_users(node, followed.entry(digest).or_default());
                todo.extend(shown.into_iter().filter(|node| seen.insert(*node)));
            }
        }
        while let Some(node) = todo.pop() {
            let users = self.index.users.get(&node).into_iter().flatten();
            for digest in users.filter(|digest| self.members.contains(digest)) {
                let Some(object) = self.index.objects.get(digest) else {
                    continue;
                };
                let shown = object.shown_users(node, followed.entry(*digest).or_default());
                todo.extend(shown.into_iter().filter(|node| seen.insert(*node)));
            }
        }
        for (digest, nodes) in followed {
            let object = &self.index.objects[&digest];
            for section in object
                .sections
                .iter()
                .filter(|one| nodes.contains(&one.node))
            {
                self.keep(digest, section.node);
            }
        }
    }

    /// Follows references forwards to what only members have.
    fn add_needs(&mut self, exported: impl Fn(Node) -> bool) {
        while let Some((digest, section)) = self.todo.pop() {
            let object = &self.index.objects[&digest];
            for node in object.edges.of(section) {
                if object.section(node).is_some() {
                    self.keep(digest, node);
                    continue;
                }
                let own = self.index.own.contains(&node);
                let definers = self.index.definers.get(&node);
                let others = definers.map(Vec::as_slice).unwrap_or_default();
                if !others.is_empty() && exported(node) && !own {
                    continue;
                }
                // One that several objects define is taken from this one.
                if !self.keep_definition(digest, node) {
                    for definer in others {
                        self.keep_definition(*definer, node);
                    }
                }
            }
        }
    }

    /// Keeps what a symbol stands for in an object; false if it stands for nothing there.
    fn keep_definition(&mut self, digest: u128, symbol: Node) -> bool {
        if !self.members.contains(&digest) {
            return false;
        }
        let object = &self.index.objects[&digest];
        let mut defined = false;
        for node in object.edges.of(symbol) {
            if object.section(node).is_some() {
                self.keep(digest, node);
                defined = true;
            }
        }
        defined
    }

    fn keep(&mut self, digest: u128, section: Node) {
        let kept = self.kept.entry(digest).or_default();
        let first = kept.is_empty();
        if !kept.insert(section) {
            return;
        }
        self.todo.push((digest, section));
        if first {
            if self.whole {
                self.keep_all(digest);
            }
            for node in &self.index.objects[&digest].always {
                self.keep(digest, *node);
            }
        }
    }

    fn keep_all(&mut self, digest: u128) {
        for section in &self.index.objects[&digest].sections {
            self.keep(digest, section.node);
        }
    }

    fn parts(self) -> Parts {
        let index = self.index;
        let part = |(digest, nodes): (u128, NodeSet)| {
            let sections = index.objects[&digest].sections.iter();
            let kept = sections.filter(|section| nodes.contains(&section.node));
            (digest, kept.map(|section| section.index).collect())
        };
        self.kept.into_iter().map(part).collect()
    }
}

impl References {
    /// The section that a node is.
    fn section(&self, node: Node) -> Option<&super::Section> {
        let found = self.sections.binary_search_by_key(&node, |one| one.node);
        found.ok().map(|at| &self.sections[at])
    }

    /// What an image is to hold of this object, which changed, whoever leads there.
    fn seeds(&self, seeds: &Seeds<'_>) -> Vec<Node> {
        let known = |section: &super::Section| match (section.digest, seeds.known) {
            (Some(digest), Some(known)) => known.contains(&digest),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let sections = self.sections.iter();
        let mut nodes: Vec<Node> = sections
            .filter(|section| seeds.whole || !known(section))
            .map(|section| section.node)
            .collect();
        let functions = self.functions.iter();
        let functions = functions.map(|function| (&function.name, function.node));
        let statics = self.statics.iter().map(|(name, node)| (name, *node));
        let also = functions.chain(statics);
        let also = also.filter(|(name, _)| seeds.also.contains(name.as_str()));
        nodes.extend(also.flat_map(|(_, node)| self.edges.of(node)));
        nodes
    }

    /// The sections of those of its statics that are in this set.
    fn statics_in(&self, names: &HashSet<&str>) -> Vec<Node> {
        if names.is_empty() {
            return Vec::new();
        }
        let statics = self.statics.iter();
        let statics = statics.filter(|(name, _)| names.contains(name.as_str()));
        statics.flat_map(|(_, node)| self.edges.of(*node)).collect()
    }

    /// Follows references backwards inside the object from a node to all that lead to it, and gives
    /// those among them that others see. What is in `known` was followed before.
    fn shown_users(&self, node: Node, known: &mut NodeSet) -> Vec<Node> {
        let backwards = self.backwards.get_or_init(|| self.edges.reversed());
        let mut shown = Vec::new();
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            if known.insert(node) {
                todo.extend(backwards.of(node));
                if self.defines.binary_search(&node).is_ok() {
                    shown.push(node);
                }
            }
        }
        shown
    }
}
