//! What code can be reached from an image's entries: functions that can't keep running old code.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

use crate::unit::ObjectFile;

/// The references of one object: from the symbols of each section to symbols.
#[derive(Debug, Default)]
struct References {
    /// Functions that the object defines.
    functions: Vec<String>,
    edges: Vec<(String, String)>,
}

/// References by content digest of the object.
#[derive(Debug, Default)]
pub struct Reach(HashMap<u128, Arc<References>>);

/// The references of an image's objects.
#[derive(Debug)]
pub struct Graph(Vec<Arc<References>>);

impl Reach {
    /// Reads the references of these objects, and forgets those of all others.
    ///
    /// # Errors
    ///
    /// An object is damaged.
    pub fn graph(&mut self, objects: &[&ObjectFile]) -> Result<Graph> {
        let mut known = HashMap::with_capacity(objects.len());
        let mut graph = Vec::with_capacity(objects.len());
        for object in objects {
            let references = match self.0.remove(&object.digest) {
                Some(references) => references,
                None => Arc::new(read(object)?),
            };
            graph.push(Arc::clone(&references));
            known.insert(object.digest, references);
        }
        self.0 = known;
        Ok(Graph(graph))
    }
}

impl Graph {
    /// The functions that the objects define, by mangled name.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let all = self.0.iter().flat_map(|object| &object.functions);
        all.map(String::as_str)
    }

    /// All that the roots refer to, directly or not, and the roots.
    pub fn reached<'graph>(
        &'graph self,
        roots: impl IntoIterator<Item = &'graph str>,
    ) -> HashSet<&'graph str> {
        let mut edges: HashMap<&str, Vec<&str>> = HashMap::new();
        for (from, to) in self.0.iter().flat_map(|object| &object.edges) {
            edges.entry(from).or_default().push(to);
        }
        let mut todo: Vec<&str> = roots.into_iter().collect();
        let mut reached = HashSet::new();
        while let Some(symbol) = todo.pop() {
            todo.extend(edges.remove(symbol).into_iter().flatten());
            reached.insert(symbol);
        }
        reached
    }
}

/// The canonical path of a function; closures and async bodies are counted to the function they
/// stand in.
pub fn function_path(symbol: &str) -> String {
    let path = hotswap_object::canonical_path(symbol);
    path.split("::{").next().unwrap_or(&path).to_owned()
}

/// Whether this is the `main` of a crate.
pub fn is_main(symbol: &str) -> bool {
    let path = hotswap_object::canonical_path(symbol);
    path.split("::").collect::<Vec<_>>()[1..] == ["main"]
}

fn read(object: &ObjectFile) -> Result<References> {
    let elf = ElfFile64::<object::Endianness>::parse(&*object.bytes)?;
    let mut references = References::default();
    // rustc puts each function and constant in a section of its own: the section stands for all
    // symbols in it. A section without symbols (an anonymous constant) is named by its number.
    let mut names: HashMap<SectionIndex, Vec<String>> = HashMap::new();
    for symbol in elf.symbols() {
        let (Some(section), Ok(name)) = (symbol.section_index(), symbol.name()) else {
            continue;
        };
        if name.is_empty() || symbol.kind() == SymbolKind::Section {
            continue;
        }
        if symbol.kind() == SymbolKind::Text {
            references.functions.push(name.to_owned());
        }
        names.entry(section).or_default().push(name.to_owned());
    }
    let anonymous = |section: SectionIndex| format!("{:032x}.{}", object.digest, section.0);
    for section in elf.sections() {
        let name = section.name().unwrap_or_default();
        if name.starts_with(".debug") || name.starts_with(".eh_frame") {
            continue;
        }
        let own = anonymous(section.index());
        for symbol in names.get(&section.index()).into_iter().flatten() {
            references.edges.push((symbol.clone(), own.clone()));
        }
        for (_, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let target = elf.symbol_by_index(index)?;
            let to = match (target.kind(), target.section_index()) {
                (SymbolKind::Section, Some(section)) => anonymous(section),
                _ => target.name()?.to_owned(),
            };
            references.edges.push((own.clone(), to));
        }
    }
    Ok(references)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Graph, References, function_path, is_main};

    #[test]
    fn follows_references_across_objects_and_in_circles() {
        let object = |functions: &[&str], edges: &[(&str, &str)]| {
            Arc::new(References {
                functions: functions.iter().map(|&name| name.to_owned()).collect(),
                edges: edges
                    .iter()
                    .map(|&(a, b)| (a.to_owned(), b.to_owned()))
                    .collect(),
            })
        };
        let graph = Graph(vec![
            object(&["a", "b"], &[("a", "a.1"), ("a.1", "c"), ("b", "a")]),
            object(&["c", "d"], &[("c", "d"), ("d", "c")]),
        ]);
        assert_eq!(graph.functions().count(), 4);
        let mut reached: Vec<_> = graph.reached(["a"]).into_iter().collect();
        reached.sort_unstable();
        assert_eq!(reached, ["a", "a.1", "c", "d"]);
    }

    #[test]
    fn names_functions() {
        let body = "_RNCNvCs5_3app4main0B3_";
        assert_eq!(function_path(body), "app::main");
        assert!(is_main("_RNvCs5_3app4main") && !is_main("_RNvNtCs5_3app1m4main"));
    }
}
