//! What code can be reached from an image's entries: functions that can't keep running old code.

use std::collections::{BTreeSet, HashMap};
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

/// The functions of an image, by mangled name.
#[derive(Debug, Default)]
pub struct Reached {
    /// All that the image defines.
    pub defined: BTreeSet<String>,
    /// Those that some root refers to, directly or not.
    pub reached: BTreeSet<String>,
}

impl Reach {
    /// Follows references through these objects from the given symbols.
    ///
    /// # Errors
    ///
    /// An object is damaged.
    pub fn follow<'a>(
        &mut self,
        objects: impl IntoIterator<Item = &'a ObjectFile>,
        roots: impl IntoIterator<Item = String>,
    ) -> Result<Reached> {
        let mut edges: HashMap<String, Vec<String>> = HashMap::new();
        let mut result = Reached::default();
        for object in objects {
            let references = self.references(object)?;
            result.defined.extend(references.functions.iter().cloned());
            for (from, to) in &references.edges {
                edges.entry(from.clone()).or_default().push(to.clone());
            }
        }
        let mut todo: Vec<String> = roots.into_iter().collect();
        while let Some(symbol) = todo.pop() {
            if let Some(next) = edges.remove(&symbol) {
                todo.extend(next);
            }
            result.reached.insert(symbol);
        }
        Ok(result)
    }

    fn references(&mut self, object: &ObjectFile) -> Result<Arc<References>> {
        if let Some(known) = self.0.get(&object.digest) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(read(object)?);
        self.0.insert(object.digest, Arc::clone(&read));
        Ok(read)
    }
}

/// The functions among these symbols, by canonical path; closures and async bodies are counted to
/// the function they stand in.
pub fn functions(symbols: &BTreeSet<String>) -> BTreeSet<String> {
    let paths = symbols
        .iter()
        .filter(|symbol| symbol.starts_with("_R"))
        .map(|symbol| {
            let path = hotswap_object::canonical_path(symbol);
            path.split("::{").next().unwrap_or(&path).to_owned()
        });
    paths.collect()
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
