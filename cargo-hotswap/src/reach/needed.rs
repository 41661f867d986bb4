//! Which parts of which objects an image needs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::nodes::{Node, NodeSet, node_of};
use super::{Index, References};

/// The parts of objects that an image needs: sections, by index, of objects, by digest.
pub type Parts = BTreeMap<u128, BTreeSet<usize>>;

/// What an image needs.
#[derive(Debug, Default)]
pub struct Needed {
    /// The parts of objects.
    pub parts: Parts,
    /// Those of them that hold a read-only static which is the host's for everybody.
    pub hosts: Parts,
    /// The symbols of these statics.
    pub constants: BTreeSet<String>,
}

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
    /// What leads to the body of an entry stays out: code of the host reaches the new one, too, as all calls go
    /// through the table.
    pub by_table: bool,
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
    pub fn needed(&self, seeds: &Seeds<'_>, exported: impl Fn(Node) -> bool) -> Needed {
        let members = || {
            let objects = seeds.members.iter();
            objects.filter_map(|digest| Some((*digest, self.objects.get(digest)?)))
        };
        let mut search = Search {
            index: self,
            exported: &exported,
            members: seeds.members.iter().copied().collect(),
            near: members()
                .flat_map(|(_, object)| &object.near)
                .copied()
                .collect(),
            whole: seeds.whole,
            by_table: seeds.by_table,
            followed: HashMap::new(),
            seen: NodeSet::default(),
            kept: HashMap::new(),
            hosts: HashMap::new(),
            alone: Vec::new(),
            todo: Vec::new(),
        };
        search.add_users(search.seeds(seeds));
        // What is registered by standing in a section is registered once more in the image, and who reads
        // what is registered shall read the image's.
        let gathered = members().filter(|(_, object)| !object.gathered.is_empty());
        let gathered: Vec<_> = gathered.collect();
        let bounds = gathered.iter().flat_map(|(_, object)| &object.gathered);
        search.add_users_of_shown(bounds.copied().collect());
        for (digest, _) in gathered {
            search.keep_all(digest);
        }
        search.add_needs();
        // What can't be the host's is the image's for all.
        while !search.alone.is_empty() {
            let alone = std::mem::take(&mut search.alone);
            search.add_users(alone);
            search.add_needs();
        }
        search.finish()
    }
}

/// A search for all that an image needs.
struct Search<'a> {
    index: &'a Index,
    exported: &'a dyn Fn(Node) -> bool,
    members: HashSet<u128>,
    /// What data refers to by distance.
    near: NodeSet,
    whole: bool,
    by_table: bool,
    /// What was followed backwards, object by object, and what others see among it.
    followed: HashMap<u128, NodeSet>,
    seen: NodeSet,
    /// Sections that are needed, by object.
    kept: HashMap<u128, NodeSet>,
    /// Sections with read-only statics that are needed and that the host has.
    hosts: HashMap<u128, NodeSet>,
    /// Sections with read-only statics that are needed and that the image has for itself.
    alone: Vec<(u128, Node)>,
    /// Those whose needs were not looked at yet.
    todo: Vec<(u128, Node)>,
}

impl Search<'_> {
    /// What is otherwise than in the host, by object.
    fn seeds(&self, seeds: &Seeds<'_>) -> Vec<(u128, Node)> {
        let changed = seeds.changed.iter().map(|digest| (digest, true));
        let members = seeds.members.iter().map(|digest| (digest, false));
        let mut found = Vec::new();
        for (&digest, changed) in changed.chain(members) {
            let Some(object) = self.index.objects.get(&digest) else {
                continue;
            };
            let nodes = match changed {
                true => object.seeds(seeds),
                false => object.statics_in(&seeds.elsewhere),
            };
            found.extend(nodes.into_iter().map(|node| (digest, node)));
        }
        found
    }

    /// Follows references backwards from all of these.
    fn add_users(&mut self, of: Vec<(u128, Node)>) {
        let mut todo = Vec::new();
        for (digest, node) in of {
            self.follow(digest, node, &mut todo);
        }
        self.add_users_of_shown(todo);
    }

    /// The same for what others than the object that defines it see.
    fn add_users_of_shown(&mut self, mut todo: Vec<Node>) {
        while let Some(node) = todo.pop() {
            let users = self.index.users.get(&node).into_iter().flatten();
            for digest in users {
                if self.members.contains(digest) {
                    self.follow(*digest, node, &mut todo);
                }
            }
        }
        let index = self.index;
        let followed = self.followed.iter().flat_map(|(&digest, nodes)| {
            let sections = index.objects[&digest].sections.iter();
            let sections = sections.filter(|section| nodes.contains(&section.node));
            sections.map(move |section| (digest, section.node))
        });
        for (digest, section) in followed.collect::<Vec<_>>() {
            self.keep(digest, section);
        }
    }

    fn follow(&mut self, digest: u128, node: Node, todo: &mut Vec<Node>) {
        if let Some(object) = self.index.objects.get(&digest) {
            let known = self.followed.entry(digest).or_default();
            let shown = object.shown_users(node, self.by_table, known);
            todo.extend(shown.into_iter().filter(|node| self.seen.insert(*node)));
        }
    }

    /// Follows references forwards to what only members have.
    fn add_needs(&mut self) {
        while let Some((digest, section)) = self.todo.pop() {
            let object = &self.index.objects[&digest];
            for node in object.edges.of(section) {
                if object.section(node).is_some() {
                    self.need(digest, node);
                    continue;
                }
                let own = self.index.own.contains(&node) || self.near.contains(&node);
                let definers = self.index.definers.get(&node);
                let others = definers.map(Vec::as_slice).unwrap_or_default();
                if !others.is_empty() && (self.exported)(node) && !own {
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
                self.need(digest, node);
                defined = true;
            }
        }
        defined
    }

    /// Keeps a section, or finds that it is one of read-only statics of which the host's are taken, so
    /// that code in the host and in the image sees one.
    fn need(&mut self, digest: u128, section: Node) {
        let constants = self.index.objects[&digest].constants.get(&section);
        let followed = self.followed.get(&digest);
        let own = followed.is_some_and(|nodes| nodes.contains(&section));
        let Some(names) = constants.filter(|_| !own) else {
            return self.keep(digest, section);
        };
        let is_near = |node| self.near.contains(&node);
        let of_host = |name: &String| !is_near(node_of(name)) && (self.exported)(node_of(name));
        // Where several stand in one section, it is no longer known what lies between them.
        if names.len() == 1 && !is_near(section) && names.iter().all(of_host) {
            self.hosts.entry(digest).or_default().insert(section);
        } else {
            self.alone.push((digest, section));
        }
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
            self.need(digest, section.node);
        }
    }

    fn finish(self) -> Needed {
        let mut needed = Needed::default();
        for (digest, kept) in self.kept {
            let object = &self.index.objects[&digest];
            let hosts = self.hosts.get(&digest);
            let parts = needed.parts.entry(digest).or_default();
            for section in &object.sections {
                if kept.contains(&section.node) {
                    parts.insert(section.index);
                } else if hosts.is_some_and(|hosts| hosts.contains(&section.node)) {
                    parts.insert(section.index);
                    needed
                        .hosts
                        .entry(digest)
                        .or_default()
                        .insert(section.index);
                    needed
                        .constants
                        .extend(object.constants[&section.node].iter().cloned());
                }
            }
        }
        needed
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
    fn shown_users(&self, node: Node, by_table: bool, known: &mut NodeSet) -> Vec<Node> {
        let backwards = self.backwards.get_or_init(|| self.edges.reversed());
        let mut shown = Vec::new();
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            if known.insert(node) && !(by_table && self.bodies.contains(&node)) {
                todo.extend(backwards.of(node));
                if self.defines.binary_search(&node).is_ok() {
                    shown.push(node);
                }
            }
        }
        shown
    }
}
