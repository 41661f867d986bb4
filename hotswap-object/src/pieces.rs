//! The pieces of an object: its sections, and by which two of them are known to be the same code.

use std::collections::{BTreeMap, HashMap};

use object::elf;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::constants::is_constant;
use crate::elf::{Elf, Rela, Symbol, addend_of, offset_of, symbol_of, type_of};
use crate::error::ObjectError;
use crate::state::{Role, role};

/// Sections that say how functions are unwound, one for each.
const EXCEPTION_TABLE: &str = ".gcc_except_table";

/// The sections of an object that are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pieces {
    /// The sections that hold something with a name, by index, with a digest of the names, the content
    /// and the meaning of the references in it. Equal digests mean that one does what the other does,
    /// provided that so do the functions and statics to which it refers by name.
    pub named: BTreeMap<usize, u64>,
    /// The others.
    pub nameless: Vec<usize>,
    /// Sections with code, each with the one that says how it is unwound.
    pub unwound_by: Vec<(usize, usize)>,
    /// Sections that unwinding needs as soon as there is any code.
    pub for_unwinding: Vec<usize>,
    /// Sections with read-only statics, each with the symbol of one.
    pub constants: Vec<(usize, String)>,
}

/// Reads the pieces of a relocatable object.
///
/// # Errors
///
/// If the file is bitcode, not an x86_64 ELF object, or malformed.
pub fn pieces(object: &[u8]) -> Result<Pieces, ObjectError> {
    let elf = Elf::object(object)?;
    let mut pieces = Pieces::default();
    read_unwinding(&elf, &mut pieces)?;
    let constants = elf.symbols.iter().filter(|one| is_constant(&elf, one));
    pieces.constants = constants
        .filter_map(|symbol| Some((symbol.section?, symbol.name.to_owned())))
        .collect();
    let mut digests = Digests {
        elf: &elf,
        names: names(&elf),
        contents: HashMap::new(),
    };
    for (index, section) in elf.sections.iter().enumerate() {
        if role(section) == Role::Unloaded || section.name == ".eh_frame" {
            continue;
        }
        let Some(name) = digests.names.get(&index).copied() else {
            pieces.nameless.push(index);
            continue;
        };
        let mut digest = Xxh3::new();
        digest.update(&name.to_le_bytes());
        digest.update(&digests.content(index, 0)?.to_le_bytes());
        for (_, table) in pieces.unwound_by.iter().filter(|(of, _)| *of == index) {
            digest.update(&digests.content(*table, 0)?.to_le_bytes());
        }
        pieces.named.insert(index, digest.digest());
    }
    Ok(pieces)
}

/// Which section belongs to which function, as the unwind information tells it: each record names a
/// function first, and then its table.
fn read_unwinding(elf: &Elf<'_>, pieces: &mut Pieces) -> Result<(), ObjectError> {
    let Some(frames) = elf.sections.iter().position(|one| one.name == ".eh_frame") else {
        return Ok(());
    };
    let mut relocations: Vec<_> = elf.relocations_of(frames)?.iter().collect();
    relocations.sort_by_key(|relocation| offset_of(relocation));
    let mut function = None;
    for relocation in relocations {
        let Some(section) = elf.symbol(symbol_of(relocation))?.section else {
            continue;
        };
        if role(&elf.sections[section]) == Role::Text {
            function = Some(section);
        } else if elf.sections[section].name.starts_with(EXCEPTION_TABLE) {
            pieces.unwound_by.extend(function.map(|of| (of, section)));
        } else if !pieces.for_unwinding.contains(&section) {
            pieces.for_unwinding.push(section);
        }
    }
    pieces.unwound_by.sort_unstable();
    pieces.unwound_by.dedup();
    Ok(())
}

/// For each section with something that has a name a digest of the names, with who sees them and
/// where they stand.
fn names(elf: &Elf<'_>) -> HashMap<usize, u64> {
    let mut names: HashMap<usize, Vec<(&str, u64, u8, u8)>> = HashMap::new();
    for symbol in elf.symbols.iter().filter(|symbol| is_named(symbol)) {
        if let Some(section) = symbol.section
            && !elf.sections[section].name.starts_with(EXCEPTION_TABLE)
        {
            let name = (symbol.name, symbol.value, symbol.kind, symbol.binding);
            names.entry(section).or_default().push(name);
        }
    }
    let digest = |mut names: Vec<(&str, u64, u8, u8)>| {
        names.sort_unstable();
        let mut digest = Xxh3::new();
        for (name, value, kind, binding) in names {
            digest.update(name.as_bytes());
            digest.update(&[0, kind, binding]);
            digest.update(&value.to_le_bytes());
        }
        digest.digest()
    };
    names
        .into_iter()
        .map(|(section, names)| (section, digest(names)))
        .collect()
}

/// Whether somebody gave it a name. What begins like a label is a number that the compiler gave.
fn is_named(symbol: &Symbol<'_>) -> bool {
    let item = !matches!(symbol.kind, elf::STT_FILE | elf::STT_SECTION);
    item && !symbol.name.is_empty() && !symbol.name.starts_with(".L")
}

/// Digests of contents, made as they are asked for.
struct Digests<'elf, 'data> {
    elf: &'elf Elf<'data>,
    names: HashMap<usize, u64>,
    /// What was digested; none while that is under way.
    contents: HashMap<usize, Option<u64>>,
}

impl Digests<'_, '_> {
    /// The digest of what a section holds. What it refers to counts by name, and where it has none, as
    /// constants have none, by what it holds itself.
    fn content(&mut self, index: usize, depth: u64) -> Result<u64, ObjectError> {
        match self.contents.get(&index) {
            Some(Some(known)) => return Ok(*known),
            // A circle of constants, told apart by its length alone: nobody writes one.
            Some(None) => return Ok(depth),
            None => self.contents.insert(index, None),
        };
        let section = &self.elf.sections[index];
        let mut digest = Xxh3::new();
        for number in [
            u64::from(section.kind),
            section.flags & !u64::from(elf::SHF_GROUP),
            section.align,
            section.entry_size,
            section.size,
        ] {
            digest.update(&number.to_le_bytes());
        }
        digest.update(self.elf.bytes(index)?);
        for relocation in self.elf.relocations_of(index)? {
            digest.update(&offset_of(relocation).to_le_bytes());
            digest.update(&type_of(relocation).to_le_bytes());
            let target = self.target(relocation, depth)?;
            digest.update(&target.to_le_bytes());
        }
        let digest = digest.digest();
        self.contents.insert(index, Some(digest));
        Ok(digest)
    }

    /// The meaning of a reference.
    fn target(&mut self, relocation: &Rela, depth: u64) -> Result<u64, ObjectError> {
        let symbol = *self.elf.symbol(symbol_of(relocation))?;
        let addend = addend_of(relocation);
        let mut digest = Xxh3::new();
        let Some(section) = symbol.section.filter(|_| symbol.is_local()) else {
            digest.update(&[1, symbol.kind]);
            digest.update(symbol.name.as_bytes());
            digest.update(&addend.to_le_bytes());
            return Ok(digest.digest());
        };
        let mut offset = symbol.value.wrapping_add_signed(addend);
        let what = if let Some(name) = self.names.get(&section) {
            *name
        } else if let Some((start, element)) = self.element(relocation, &symbol, section)? {
            offset = offset.wrapping_sub(start);
            xxh3_64(element)
        } else {
            self.content(section, depth + 1)?
        };
        digest.update(&[2]);
        digest.update(&what.to_le_bytes());
        digest.update(&offset.to_le_bytes());
        Ok(digest.digest())
    }

    /// The element that a reference leads to and where it stands, in a section of elements that linkers
    /// may throw together with others: its place says nothing.
    fn element(
        &self,
        relocation: &Rela,
        symbol: &Symbol<'_>,
        section: usize,
    ) -> Result<Option<(u64, &[u8])>, ObjectError> {
        let header = &self.elf.sections[section];
        let has = |flag: u32| header.flags & u64::from(flag) != 0;
        let start = match (symbol.is_section(), type_of(relocation)) {
            _ if !has(elf::SHF_MERGE) => return Ok(None),
            (false, _) => symbol.value,
            (true, elf::R_X86_64_64) => addend_of(relocation).cast_unsigned(),
            // The addend tells of the instruction, too.
            (true, _) => return Ok(None),
        };
        let bytes = self.elf.bytes(section)?;
        let rest = usize::try_from(start).ok().and_then(|at| bytes.get(at..));
        let rest = rest.ok_or_else(|| ObjectError::malformed("a reference beyond its section"))?;
        let length = match (has(elf::SHF_STRINGS), header.entry_size) {
            (true, 1) => rest.iter().position(|byte| *byte == 0),
            (true, _) => None,
            (false, size) => usize::try_from(size).ok(),
        };
        let element = length.and_then(|length| rest.get(..length));
        Ok(element.map(|element| (start, element)))
    }
}
