//! Support images: the home of statics that came after the host.
//!
//! A static that a patch introduces is state from then on, but images come and go. So it is
//! defined in a small shared object that is loaded globally and never unloaded, and the patch and
//! all later ones bind to it. Dependencies that were added after the host live there too.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hotswap_object::{StaticFacts, Storage};
use hotswap_protocol::manifest;
use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object as _, ObjectSection, ObjectSymbol, SymbolFlags,
    SymbolKind, SymbolScope,
};

use super::describe;
use super::lld::{Export, Linker};
use crate::unit::{ObjectFile, UnitId};

/// The statics that live in support images so far, and the images.
#[derive(Debug, Default)]
pub struct Support {
    /// By unit.
    statics: BTreeMap<UnitId, Vec<Later>>,
    images: Vec<manifest::Image>,
    /// Added for the patch under way, with initial bytes; they count once it is live.
    pending: Vec<(UnitId, Later, Vec<u8>)>,
    /// Of the pending statics, those that the patch's own image defines and exports.
    exports: Vec<(UnitId, Later, Export)>,
    /// How many names were given.
    names: u64,
    /// What all of them have, to tell them from those that others give.
    mark: String,
    /// Rust libraries that live in support images.
    libraries: BTreeSet<PathBuf>,
    pending_libraries: BTreeSet<PathBuf>,
    /// What the support images export, besides statics.
    exported: HashSet<String>,
}

/// A static that came after the host.
#[derive(Debug)]
struct Later {
    /// What it is, under the symbol that a support image or the patch's own exports.
    facts: StaticFacts,
    /// The symbol of the static whose place it took.
    instead: Option<String>,
}

impl Support {
    /// Marks the names that it gives from now on.
    pub fn set_mark(&mut self, mark: &str) {
        mark.clone_into(&mut self.mark);
    }

    /// Adds the statics of this unit that came after the host to the host's own; those whose place
    /// they took are gone.
    pub fn supersede(&self, unit: &UnitId, known: &mut Vec<StaticFacts>) {
        for later in self.statics.get(unit).into_iter().flatten() {
            known.retain(|older| Some(&older.symbol) != later.instead.as_ref());
            known.push(later.facts.clone());
        }
    }

    /// Takes in Rust libraries that the host does not have.
    pub fn add_libraries(&mut self, libraries: impl IntoIterator<Item = PathBuf>) {
        let new = libraries
            .into_iter()
            .filter(|library| !self.libraries.contains(library));
        self.pending_libraries.extend(new);
    }

    /// The symbols that come with libraries in support images.
    pub fn exported(&self) -> &HashSet<String> {
        &self.exported
    }

    /// Whether a static is one of a support image's.
    pub fn exports(&self, symbol: &str) -> bool {
        let pending = self.pending.iter().map(|(_, later, _)| later);
        let mut all = self.statics.values().flatten().chain(pending);
        all.any(|later| later.facts.symbol == symbol)
    }

    /// Takes in a new static, for the patch under way; the result is its symbol in a support image.
    /// `instead` is the symbol of the one whose place it takes.
    /// One that starts with a pointer into its version can't live there: the patch's own image
    /// defines it, exports it to later ones, and so stays for good.
    ///
    /// # Errors
    ///
    /// Its initial bytes are not found in the objects.
    pub fn add(
        &mut self,
        unit: UnitId,
        facts: &StaticFacts,
        objects: &[ObjectFile],
        instead: Option<String>,
    ) -> Result<Option<String>> {
        self.names += 1;
        let name = format!("__hotswap{}{}_{}", self.mark, self.names, facts.symbol);
        let mut named = facts.clone();
        named.symbol = name.clone();
        let later = Later {
            facts: named,
            instead,
        };
        if !facts.pointers.is_empty() {
            let export = Export {
                symbol: facts.symbol.clone(),
                name,
            };
            self.exports.push((unit, later, export));
            return Ok(None);
        }
        let bytes = objects
            .iter()
            .find_map(|object| initial_bytes(object, &facts.symbol))
            .with_context(|| format!("the static `{}` has no initial value", facts.path))?;
        self.pending.push((unit, later, bytes));
        Ok(Some(name))
    }

    /// The symbol under which the patch's own image exports a static that stands in it under this one.
    pub fn exported_as(&self, symbol: &str) -> Option<&str> {
        let mut exports = self.exports.iter().map(|(_, _, export)| export);
        let found = exports.find(|export| export.symbol == symbol);
        found.map(|export| export.name.as_str())
    }

    /// What the patch's own image has to export.
    pub fn image_exports(&self) -> Vec<Export> {
        self.exports
            .iter()
            .map(|(_, _, export)| export.clone())
            .collect()
    }

    /// Forgets what was added for a patch that did not go live.
    pub fn abort(&mut self) {
        self.pending.clear();
        self.pending_libraries.clear();
        self.exports.clear();
    }

    /// Links the statics that were added into an image of their own.
    ///
    /// # Errors
    ///
    /// The object can't be written or linked.
    pub fn link(
        &mut self,
        linker: &Linker,
        folder: &Path,
        shared: &[PathBuf],
    ) -> Result<Vec<manifest::Image>> {
        if self.pending.is_empty() && self.pending_libraries.is_empty() {
            return Ok(self.images.clone());
        }
        let number = self.images.len() + 1;
        let object = folder.join(format!("support{number}.o"));
        let bytes = self.object().context("could not make a support image")?;
        std::fs::write(&object, bytes)
            .with_context(|| format!("could not write {}", object.display()))?;
        // A fresh name for each attempt: a file that is mapped is never written again.
        let path = fresh(folder, number);
        let whole: Vec<PathBuf> = self.pending_libraries.iter().cloned().collect();
        linker.link_support(&[object], &whole, shared, &path)?;
        super::make_private(&path)?;
        let linked = describe(&path)?;
        self.exported.extend(exported_symbols(&linked.bytes)?);
        let mut images = self.images.clone();
        images.push(linked.manifest);
        Ok(images)
    }

    /// The patch is live, with these images: what was added for it stays.
    pub fn commit(&mut self, images: Vec<manifest::Image>) {
        self.images = images;
        self.libraries.append(&mut self.pending_libraries);
        let pending = self.pending.drain(..).map(|(unit, later, _)| (unit, later));
        let exports = self.exports.drain(..).map(|(unit, later, _)| (unit, later));
        for (unit, later) in pending.chain(exports) {
            self.statics.entry(unit).or_default().push(later);
        }
    }

    /// An object file that defines the pending statics.
    fn object(&self) -> Result<Vec<u8>> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (_, Later { facts, .. }, bytes) in &self.pending {
            let (section, kind) = match facts.storage {
                Storage::ThreadData | Storage::ThreadBss => (StandardSection::Tls, SymbolKind::Tls),
                _ => (StandardSection::Data, SymbolKind::Data),
            };
            let section = object.section_id(section);
            let symbol = object.add_symbol(Symbol {
                name: facts.symbol.clone().into_bytes(),
                value: 0,
                size: facts.size,
                kind,
                scope: SymbolScope::Dynamic,
                weak: false,
                section: SymbolSection::Undefined,
                flags: SymbolFlags::None,
            });
            object.add_symbol_data(symbol, section, bytes, facts.align.max(1));
        }
        Ok(object.write()?)
    }
}

/// The names in an image's dynamic symbol table that it defines.
fn exported_symbols(image: &[u8]) -> Result<Vec<String>> {
    let elf = object::read::elf::ElfFile64::<Endianness>::parse(image)?;
    let defined = elf.dynamic_symbols().filter(ObjectSymbol::is_definition);
    Ok(defined
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .collect())
}

fn fresh(folder: &Path, number: usize) -> PathBuf {
    (0_u32..)
        .map(|attempt| folder.join(format!("support{number}.{attempt}.so")))
        .find(|path| !path.exists())
        .expect("an unused number exists")
}

/// The bytes with which a static starts, from the object that defines it.
fn initial_bytes(object: &ObjectFile, symbol: &str) -> Option<Vec<u8>> {
    let elf = object::read::elf::ElfFile64::<Endianness>::parse(&*object.bytes).ok()?;
    let found = elf
        .symbols()
        .find(|one| !one.is_undefined() && one.name() == Ok(symbol))?;
    let section = elf.section_by_index(found.section_index()?).ok()?;
    let size = usize::try_from(found.size()).ok()?;
    if matches!(
        section.kind(),
        object::SectionKind::UninitializedData | object::SectionKind::UninitializedTls
    ) {
        return Some(vec![0; size]);
    }
    let start = usize::try_from(found.address()).ok()?;
    Some(section.data().ok()?.get(start..start + size)?.to_vec())
}
