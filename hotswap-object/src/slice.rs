//! Takes sections out of an object, with all that only they need.
//!
//! What is left is numbered anew. Where code that stays refers to something of a section that goes, the
//! reference is to another file's from now on.

mod frames;
mod output;

use std::collections::BTreeSet;

use object::elf;

use crate::elf::{Elf, Rela, symbol_of};
use crate::error::ObjectError;
use crate::state::{Role, role};
use frames::Frames;

/// The object without those of its loaded sections that are not in `kept`, by index. Of those in `hollow`
/// only names and places are of use afterwards: what they refer to goes. `None` if it is of a form of which
/// nothing can be taken out.
///
/// # Errors
///
/// If the file is not an x86_64 ELF object or malformed, or if a section that stays refers to something
/// without a name in one that goes.
pub fn slice(
    object: &[u8],
    kept: &BTreeSet<usize>,
    hollow: &BTreeSet<usize>,
) -> Result<Option<Vec<u8>>, ObjectError> {
    let elf = Elf::object(object)?;
    let (Some(table), None) = (elf.symbol_table, elf.extended_indices) else {
        return Ok(None);
    };
    let mut stay = vec![false; elf.sections.len()];
    for (index, section) in elf.sections.iter().enumerate() {
        stay[index] = role(section) == Role::Unloaded || section.name == ".eh_frame";
    }
    for &index in kept {
        *stay.get_mut(index).ok_or_else(no_section)? = true;
    }
    for target in 0..elf.sections.len() {
        if let Some(relocations) = elf.relocations[target] {
            stay[relocations] = stay[target] && !hollow.contains(&target);
        }
    }
    let groups = groups(&elf, &mut stay)?;
    let frames = match elf.sections.iter().position(|one| one.name == ".eh_frame") {
        Some(index) => match Frames::read(&elf, index, &stay)? {
            Some(frames) => Some(frames),
            None => return Ok(None),
        },
        None => None,
    };
    let mut slice = Slice {
        elf: &elf,
        table,
        used: vec![false; elf.symbols.len()],
        stay,
        hollow,
        frames,
        groups,
    };
    slice.find_used()?;
    output::write(&slice).map(Some)
}

fn no_section() -> ObjectError {
    ObjectError::malformed("no such section")
}

/// Which of an object stays.
struct Slice<'elf, 'data> {
    elf: &'elf Elf<'data>,
    /// The section of symbols.
    table: usize,
    /// For each section whether it stays.
    stay: Vec<bool>,
    /// Those that refer to nothing.
    hollow: &'elf BTreeSet<usize>,
    /// For each symbol whether loaded sections that stay refer to it.
    used: Vec<bool>,
    frames: Option<Frames>,
    /// Groups that stay, with those of their members that do.
    groups: Vec<Group>,
}

/// Sections of which linkers take all or none.
struct Group {
    section: usize,
    flags: u32,
    members: Vec<usize>,
}

impl Slice<'_, '_> {
    fn find_used(&mut self) -> Result<(), ObjectError> {
        for group in &self.groups {
            let name = self.elf.sections[group.section].info as usize;
            *self.used.get_mut(name).ok_or_else(no_section)? = true;
        }
        let elf = self.elf;
        for (index, section) in elf.sections.iter().enumerate() {
            let loaded = role(section) != Role::Unloaded;
            let hollow = self.hollow.contains(&index);
            if !self.stay[index] || !loaded || hollow || section.name == ".eh_frame" {
                continue;
            }
            for relocation in elf.relocations_of(index)? {
                self.uses(relocation)?;
            }
        }
        for relocation in self.frames.iter().flat_map(|frames| &frames.relocations) {
            let symbol = symbol_of(relocation);
            *self.used.get_mut(symbol).ok_or_else(no_section)? = true;
        }
        Ok(())
    }

    fn uses(&mut self, relocation: &Rela) -> Result<(), ObjectError> {
        let symbol = symbol_of(relocation);
        let target = self.elf.symbol(symbol)?;
        let gone = target.section.is_some_and(|section| !self.stay[section]);
        if gone && target.is_local() {
            return Err(ObjectError::malformed(format!(
                "code that stays refers to {}, which goes",
                self.elf.symbol_name(symbol)
            )));
        }
        self.used[symbol] = true;
        Ok(())
    }

    /// Whether a symbol stays, as what this object defines or as what another does.
    fn has(&self, index: usize) -> bool {
        let symbol = &self.elf.symbols[index];
        let used = self.used[index];
        match symbol.section {
            Some(section) => self.stay[section] || (used && !symbol.is_local()),
            None => index == 0 || used || symbol.kind == elf::STT_FILE || symbol.defined,
        }
    }
}

/// The groups that have members which stay. The others go.
fn groups(elf: &Elf<'_>, stay: &mut [bool]) -> Result<Vec<Group>, ObjectError> {
    let mut groups = Vec::new();
    for (index, section) in elf.sections.iter().enumerate() {
        if section.kind != elf::SHT_GROUP {
            continue;
        }
        let bytes = elf.bytes(index)?.chunks_exact(4);
        let mut words = bytes.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let flags = words.next().unwrap_or(0);
        let members: Vec<usize> = words
            .map(|member| member as usize)
            .filter(|member| stay.get(*member).copied().unwrap_or(false))
            .collect();
        stay[index] = !members.is_empty();
        if stay[index] {
            groups.push(Group {
                section: index,
                flags,
                members,
            });
        }
    }
    Ok(groups)
}
