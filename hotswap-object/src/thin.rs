//! Leaves of an object's debug information what backtraces need: files, lines, inlined calls.
//!
//! Types and variables are most of what a compiler writes and most of what a linker then reads
//! and relocates. A backtrace wants none of that: a function's name is in the symbol table, and
//! its lines are in a section of their own. What has to stay is the unit that names that section,
//! and calls that were inlined, whose functions have no symbol.

mod abbreviations;
mod read;
mod write;

use std::collections::BTreeMap;

use object::elf as constants;

use crate::elf::rebuild::rebuild;
use crate::elf::{Elf, Rela};
use crate::error::ObjectError;
use read::Sections;

/// Sections that are emptied: they belong to types and variables, or are found by way of what is
/// written anew.
const EMPTIED: [&str; 7] = [
    ".debug_str",
    ".debug_loc",
    ".debug_aranges",
    ".debug_pubnames",
    ".debug_pubtypes",
    ".debug_gnu_pubnames",
    ".debug_gnu_pubtypes",
];

/// Sections that refer to what would be taken away, or come with forms that are not understood.
const STRANGE: [&str; 6] = [
    ".debug_types",
    ".debug_macro",
    ".debug_macinfo",
    ".debug_names",
    ".debug_str_offsets",
    ".debug_addr",
];

/// Takes types and variables out of an object's debug information. Code, data, names and lines stay
/// as they are; so do the numbers of sections and symbols. The result is `None` where nothing can
/// be taken away: there is no debug information, or some that is not in the form which rustc writes
/// by default (DWARF 4).
///
/// # Errors
///
/// If the file is not an x86_64 ELF object, or is malformed.
pub fn thin(object: &[u8]) -> Result<Option<Vec<u8>>, ObjectError> {
    let elf = Elf::object(object)?;
    let named = |name: &str| elf.sections.iter().position(|one| one.name == name);
    let (Some(info), Some(abbreviations)) = (named(".debug_info"), named(".debug_abbrev")) else {
        return Ok(None);
    };
    let compressed = elf
        .sections
        .iter()
        .any(|one| one.flags & u64::from(constants::SHF_COMPRESSED) != 0);
    let twice = |name: &str| elf.sections.iter().filter(|one| one.name == name).count() > 1;
    let strange = STRANGE.iter().any(|name| named(name).is_some());
    if compressed || strange || twice(".debug_info") || twice(".debug_abbrev") {
        return Ok(None);
    }
    let sections = Sections {
        info: elf.bytes(info)?,
        relocations: elf.relocations_of(info)?,
        abbreviations: elf.bytes(abbreviations)?,
        strings: named(".debug_str").map_or(Ok(&[][..]), |index| elf.bytes(index))?,
    };
    let Some(units) = read::units(&sections) else {
        return Ok(None);
    };
    let Some(written) = write::units(&sections, &units) else {
        return Ok(None);
    };
    let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for name in EMPTIED {
        for (index, section) in elf.sections.iter().enumerate() {
            if section.name == name {
                contents.insert(index, Vec::new());
                contents.extend(elf.relocations[index].map(|table| (table, Vec::new())));
            }
        }
    }
    contents.insert(info, written.info);
    contents.insert(abbreviations, write::ABBREVIATIONS.to_vec());
    if let Some(table) = elf.relocations[info] {
        contents.insert(table, bytes_of(&written.relocations));
    }
    rebuild(&elf, &contents).map(Some)
}

fn bytes_of(relocations: &[Rela]) -> Vec<u8> {
    object::pod::bytes_of_slice(relocations).to_vec()
}
