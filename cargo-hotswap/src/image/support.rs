//! Support images: the home of statics that came after the host.
//!
//! A static that a patch introduces is state from then on, but images come and go. So it is
//! defined in a small shared object that is loaded globally and never unloaded, and the patch and
//! all later ones bind to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hotswap_object::{StaticFacts, Storage};
use hotswap_protocol::manifest;
use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object as _, ObjectSection, ObjectSymbol, SymbolFlags,
    SymbolKind, SymbolScope,
};

use super::{describe, lld::Linker};
use crate::unit::{ObjectFile, UnitId};

/// The statics that live in support images so far, and the images.
#[derive(Debug, Default)]
pub struct Support {
    /// By unit: the statics, under the symbols that the support images export.
    statics: BTreeMap<UnitId, Vec<StaticFacts>>,
    images: Vec<manifest::Image>,
    /// Added for the patch under way; they count once it is live.
    pending: Vec<(UnitId, StaticFacts, Vec<u8>)>,
}

impl Support {
    /// The statics of this unit that came after the host.
    pub fn statics(&self, unit: &UnitId) -> &[StaticFacts] {
        self.statics.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Whether a symbol is one of a support image's.
    pub fn exports(&self, symbol: &str) -> bool {
        let mut all = self.statics.values().flatten().chain(self.pending.iter().map(|p| &p.1));
        all.any(|facts| facts.symbol == symbol)
    }

    /// Whether a new static can live here: one that starts as plain bytes. One that starts with a
    /// pointer into its version would hold that version's image for ever.
    pub fn accepts(facts: &StaticFacts) -> bool {
        facts.pointers.is_empty() && matches!(facts.storage, Storage::Data | Storage::Bss)
    }

    /// Takes in a new static, for the patch under way.
    ///
    /// # Errors
    ///
    /// Its initial bytes are not found in the objects.
    pub fn add(
        &mut self,
        unit: UnitId,
        facts: &StaticFacts,
        objects: &[ObjectFile],
    ) -> Result<()> {
        let bytes = objects
            .iter()
            .find_map(|object| initial_bytes(object, &facts.symbol))
            .with_context(|| format!("the static `{}` has no initial value", facts.path))?;
        self.pending.push((unit, facts.clone(), bytes));
        Ok(())
    }

    /// Forgets what was added for a patch that did not go live.
    pub fn abort(&mut self) {
        self.pending.clear();
    }

    /// Links the statics that were added into an image of their own.
    ///
    /// # Errors
    ///
    /// The object can't be written or linked.
    pub fn link(&mut self, linker: &Linker, folder: &Path) -> Result<Vec<manifest::Image>> {
        if self.pending.is_empty() {
            return Ok(self.images.clone());
        }
        let number = self.images.len() + 1;
        let object = folder.join(format!("support{number}.o"));
        let bytes = self.object().context("could not make a support image")?;
        std::fs::write(&object, bytes)
            .with_context(|| format!("could not write {}", object.display()))?;
        // A fresh name for each attempt: a file that is mapped is never written again.
        let path = fresh(folder, number);
        linker.link_support(&[object], &[], &path)?;
        super::make_private(&path)?;
        let mut images = self.images.clone();
        images.push(describe(&path)?.manifest);
        Ok(images)
    }

    /// The patch is live, with these images: what was added for it stays.
    pub fn commit(&mut self, images: Vec<manifest::Image>) {
        self.images = images;
        for (unit, facts, _) in self.pending.drain(..) {
            self.statics.entry(unit).or_default().push(facts);
        }
    }

    /// An object file that defines the pending statics.
    fn object(&self) -> Result<Vec<u8>> {
        let mut object =
            Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (_, facts, bytes) in &self.pending {
            let section = object.section_id(StandardSection::Data);
            let symbol = object.add_symbol(Symbol {
                name: facts.symbol.clone().into_bytes(),
                value: 0,
                size: facts.size,
                kind: SymbolKind::Data,
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

fn fresh(folder: &Path, number: usize) -> PathBuf {
    (0_u32..)
        .map(|attempt| folder.join(format!("support{number}.{attempt}.so")))
        .find(|path| !path.exists())
        .expect("an unused number exists")
}

/// The bytes with which a static starts, from the object that defines it.
fn initial_bytes(object: &ObjectFile, symbol: &str) -> Option<Vec<u8>> {
    let elf = object::read::elf::ElfFile64::<Endianness>::parse(&*object.bytes).ok()?;
    let found = elf.symbols().find(|one| one.is_definition() && one.name() == Ok(symbol))?;
    let section = elf.section_by_index(found.section_index()?).ok()?;
    let size = usize::try_from(found.size()).ok()?;
    if section.kind() == object::SectionKind::UninitializedData {
        return Some(vec![0; size]);
    }
    let start = usize::try_from(found.address()).ok()?;
    Some(section.data().ok()?.get(start..start + size)?.to_vec())
}
