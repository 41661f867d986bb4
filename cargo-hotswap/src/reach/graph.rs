//! Which functions others lead to, among the objects of an image.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::nodes::{Node, NodeMap, NodeSet, node_of};
use super::{Function, References};
use crate::unit::ObjectFile;

/// The references of some objects.
#[derive(Debug)]
pub struct Graph {
    objects: Vec<Arc<References>>,
    /// For each of them the sections that are meant.
    sections: Vec<NodeSet>,
}

/// A node, and the number of the object that it was met in: nodes that others don't see have
/// references in that one alone.
type Met = (Option<usize>, Node);

impl Graph {
    /// Of these objects and sections.
    pub(super) fn of(objects: impl Iterator<Item = (Arc<References>, NodeSet)>) -> Self {
        let (objects, sections) = objects.unzip();
        Self { objects, sections }
    }

    /// Has references by inlined code count too, which only debug information tells. `objects` are
    /// those that the graph is of; one whose debug information can't be read adds nothing.
    pub fn add_inlined<'object>(&self, objects: impl IntoIterator<Item = &'object ObjectFile>) {
        let known = self
            .objects
            .iter()
            .map(|references| (references.digest, references));
        let known: HashMap<u128, &Arc<References>> = known.collect();
        for object in objects {
            if let Some(references) = known.get(&object.digest) {
                references
                    .inlined
                    .get_or_init(|| hotswap_layout::inlined(&object.bytes).unwrap_or_default());
            }
        }
    }

    /// The functions that are meant, by mangled name.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.all_functions()
            .filter(|(at, function)| self.sections[*at].contains(&function.section))
            .map(|(_, function)| function.name.as_str())
    }

    /// Functions whose code is within others', by mangled name, as far as references by inlined code were added: not
    /// what is only within functions that are not meant.
    pub fn inlined_functions(&self) -> impl Iterator<Item = &str> {
        let objects = self.objects.iter().zip(&self.sections);
        objects.flat_map(|(object, meant)| {
            let others = object.functions.iter();
            let others = others.filter(|function| !meant.contains(&function.section));
            let others: HashSet<&str> = others.map(|function| function.name.as_str()).collect();
            let pairs = object.inlined.get().into_iter().flatten();
            pairs
                .filter(move |(caller, _)| !others.contains(caller.as_str()))
                .map(|(_, callee)| callee.as_str())
        })
    }

    fn all_functions(&self) -> impl Iterator<Item = (usize, &Function)> {
        let objects = self.objects.iter().enumerate();
        objects.flat_map(|(at, object)| object.functions.iter().map(move |one| (at, one)))
    }

    /// Those of the functions in `wanted` that the roots refer to, directly or not, or that are
    /// roots; but not what is only reached by way of the statics in `except`. A function that is only inlined is
    /// reached where it is, if such references were added.
    pub fn reached<'graph>(
        &'graph self,
        roots: impl IntoIterator<Item = &'graph str>,
        except: &HashSet<&str>,
        wanted: impl IntoIterator<Item = &'graph str>,
    ) -> BTreeSet<&'graph str> {
        let nodes = |names: &mut dyn Iterator<Item = &str>| names.map(node_of).collect::<NodeSet>();
        let roots = nodes(&mut roots.into_iter());
        let wanted = wanted.into_iter().map(|name| (node_of(name), name));
        let mut wanted = Wanted::new(self, wanted.collect());
        let references = Forwards::new(self, except);
        let begin = self.all_functions();
        let begin = begin.filter(|(_, function)| roots.contains(&function.named));
        let mut todo: Vec<Met> = begin.map(|(at, one)| (Some(at), one.node)).collect();
        let mut known: NodeSet = todo.iter().map(|(_, node)| *node).collect();
        while let Some(met) = todo.pop() {
            wanted.reached(met.1);
            if wanted.left == 0 {
                break;
            }
            references.follow(met, |next| {
                if known.insert(next.1) {
                    todo.push(next);
                }
            });
        }
        wanted.found().collect()
    }

    /// References by inlined code, as far as they were added. What has no code of its own has a
    /// node all the same.
    fn inlined(&self) -> NodeMap<Vec<Met>> {
        let mut edges: NodeMap<Vec<Met>> = NodeMap::default();
        if self
            .objects
            .iter()
            .all(|object| object.inlined.get().is_none())
        {
            return edges;
        }
        let mut nodes: HashMap<&str, Vec<Met>> = HashMap::new();
        for (at, function) in self.all_functions() {
            let found = nodes.entry(&function.name).or_default();
            found.push((Some(at), function.node));
        }
        for object in &self.objects {
            let sections = object.functions.iter();
            let sections = sections.map(|function| (function.name.as_str(), function.section));
            let sections: HashMap<&str, Node> = sections.collect();
            for (caller, callee) in object.inlined.get().into_iter().flatten() {
                let from = sections.get(caller.as_str()).copied();
                let from = from.unwrap_or_else(|| node_of(caller));
                let to = nodes.get(callee.as_str()).cloned();
                let to = to.unwrap_or_else(|| vec![(None, node_of(callee))]);
                edges.entry(from).or_default().extend(to);
            }
        }
        edges
    }
}

/// The references of a graph, to be followed.
struct Forwards<'graph> {
    objects: &'graph [Arc<References>],
    /// The objects that define what others see.
    definers: NodeMap<Vec<usize>>,
    inlined: NodeMap<Vec<Met>>,
    /// What leads nowhere.
    blocked: NodeSet,
}

impl<'graph> Forwards<'graph> {
    fn new(graph: &'graph Graph, except: &HashSet<&str>) -> Self {
        let mut definers: NodeMap<Vec<usize>> = NodeMap::default();
        for (at, object) in graph.objects.iter().enumerate() {
            for &node in &object.defines {
                definers.entry(node).or_default().push(at);
            }
        }
        let mut blocked = NodeSet::default();
        for object in &graph.objects {
            for (_, node) in object
                .statics
                .iter()
                .filter(|(name, _)| except.contains(name.as_str()))
            {
                // References may name the section instead of the symbol that stands for it.
                blocked.insert(*node);
                blocked.extend(object.edges.of(*node));
            }
        }
        Self {
            objects: &graph.objects,
            definers,
            inlined: graph.inlined(),
            blocked,
        }
    }

    /// Calls `next` with all that a node refers to.
    fn follow(&self, (at, node): Met, mut next: impl FnMut(Met)) {
        if self.blocked.contains(&node) {
            return;
        }
        let definers = self.definers.get(&node).map(Vec::as_slice);
        let inside = at.as_slice();
        for &at in definers.unwrap_or(inside) {
            self.objects[at]
                .edges
                .of(node)
                .for_each(|to| next((Some(at), to)));
        }
        let inlined = self.inlined.get(&node).into_iter().flatten();
        inlined.for_each(|met| next(*met));
    }
}

/// Functions that are looked for.
struct Wanted<'graph> {
    /// By name, and whether they were found.
    functions: Vec<(&'graph str, bool)>,
    /// The functions that a node stands for, by number.
    by_node: NodeMap<Vec<usize>>,
    /// How many are not found yet.
    left: usize,
}

impl<'graph> Wanted<'graph> {
    /// Those with these names, by the nodes of the names.
    fn new(graph: &'graph Graph, names: NodeMap<&'graph str>) -> Self {
        let mut wanted = Self {
            functions: Vec::new(),
            by_node: NodeMap::default(),
            left: 0,
        };
        let mut without_code = names.clone();
        for (_, function) in graph.all_functions() {
            if names.contains_key(&function.named) {
                wanted.add(&function.name, &[function.node, function.section]);
                without_code.remove(&function.named);
            }
        }
        for (node, name) in without_code {
            wanted.add(name, &[node]);
        }
        wanted
    }

    fn add(&mut self, name: &'graph str, nodes: &[Node]) {
        let at = self.functions.len();
        for node in nodes {
            self.by_node.entry(*node).or_default().push(at);
        }
        self.functions.push((name, false));
        self.left += 1;
    }

    fn reached(&mut self, node: Node) {
        for at in self.by_node.remove(&node).into_iter().flatten() {
            let found = &mut self.functions[at].1;
            self.left -= usize::from(!*found);
            *found = true;
        }
    }

    fn found(self) -> impl Iterator<Item = &'graph str> {
        let functions = self.functions.into_iter();
        functions.filter_map(|(name, found)| found.then_some(name))
    }
}
