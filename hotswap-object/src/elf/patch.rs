//! Append-only writing: the object's bytes stay, sections that grow move to the end.

use std::collections::{BTreeMap, HashMap};

use object::elf;

use super::{Elf, SYMBOL_SIZE};
use crate::error::ObjectError;

/// Size of a relocation with addend.
const RELA_SIZE: usize = 24;
/// Size of a section header.
const HEADER_SIZE: usize = 64;
const HEADER_FLAGS: usize = 8;
const HEADER_OFFSET: usize = 24;
const HEADER_DATA_SIZE: usize = 32;
/// Longest edit: the code of one thread-local access.
const EDIT_CAPACITY: usize = 16;

/// Where a relocation points, in the form it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub symbol: u32,
    pub kind: u32,
    pub addend: i64,
}

/// A symbol to be appended to the table; always global.
#[derive(Debug, Clone, Copy)]
pub struct NewSymbol {
    pub name: u32,
    pub binding: u8,
    pub kind: u8,
    /// Section that defines it; `None` for an undefined symbol.
    pub section: Option<usize>,
    pub value: u64,
    pub size: u64,
}

#[derive(Debug, Clone, Copy)]
struct Edit {
    section: usize,
    offset: u64,
    length: u8,
    bytes: [u8; EDIT_CAPACITY],
}

/// Changes to an object, applied all at once by [`Patch::finish`].
#[derive(Debug)]
pub struct Patch<'elf, 'data> {
    elf: &'elf Elf<'data>,
    edits: Vec<Edit>,
    tails: BTreeMap<usize, Vec<u8>>,
    sizes: BTreeMap<usize, u64>,
    excluded: Vec<usize>,
    names: HashMap<String, u32>,
    added: u32,
}

impl<'elf, 'data> Patch<'elf, 'data> {
    /// No change yet.
    pub fn new(elf: &'elf Elf<'data>) -> Self {
        Self {
            elf,
            edits: Vec::new(),
            tails: BTreeMap::new(),
            sizes: BTreeMap::new(),
            excluded: Vec::new(),
            names: HashMap::new(),
            added: 0,
        }
    }

    /// Replaces bytes of a section.
    pub fn write(&mut self, section: usize, offset: u64, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(EDIT_CAPACITY).enumerate() {
            let mut edit = Edit {
                section,
                offset: offset.saturating_add((index * EDIT_CAPACITY) as u64),
                length: chunk.len() as u8,
                bytes: [0; EDIT_CAPACITY],
            };
            edit.bytes[..chunk.len()].copy_from_slice(chunk);
            self.edits.push(edit);
        }
    }

    /// Appends bytes to a section and returns the offset they start at.
    pub fn append(&mut self, section: usize, bytes: &[u8]) -> u64 {
        let start = self.size(section);
        self.tails
            .entry(section)
            .or_default()
            .extend_from_slice(bytes);
        start
    }

    /// The section's size with what was appended.
    pub fn size(&self, section: usize) -> u64 {
        let tail = self.tails.get(&section).map_or(0, Vec::len);
        self.elf.sections[section].size.saturating_add(tail as u64)
    }

    /// Rewrites the relocation at `index` of a relocation section.
    pub fn retarget(&mut self, table: usize, index: usize, target: Target) {
        let mut bytes = [0; RELA_SIZE - 8];
        bytes[..8].copy_from_slice(&info(target).to_le_bytes());
        bytes[8..].copy_from_slice(&target.addend.to_le_bytes());
        self.write(table, (index * RELA_SIZE + 8) as u64, &bytes);
    }

    /// Makes the relocation at `index` of a relocation section do nothing.
    pub fn neutralise(&mut self, table: usize, index: usize) {
        self.retarget(
            table,
            index,
            Target {
                symbol: 0,
                kind: elf::R_X86_64_NONE,
                addend: 0,
            },
        );
    }

    /// Replaces the relocation at `index`, its place included.
    pub fn replace_relocation(&mut self, table: usize, index: usize, offset: u64, target: Target) {
        self.write(table, (index * RELA_SIZE) as u64, &offset.to_le_bytes());
        self.retarget(table, index, target);
    }

    /// Appends a relocation to a relocation section.
    pub fn relocate(&mut self, table: usize, offset: u64, target: Target) {
        let mut bytes = [0; RELA_SIZE];
        bytes[..8].copy_from_slice(&offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&info(target).to_le_bytes());
        bytes[16..].copy_from_slice(&target.addend.to_le_bytes());
        self.append(table, &bytes);
    }

    /// Cuts a section to `size`.
    pub fn truncate(&mut self, section: usize, size: u64) {
        self.sizes.insert(section, size);
    }

    /// Asks the linker to leave a section out.
    pub fn exclude(&mut self, section: usize) {
        self.excluded.push(section);
    }

    /// Offset of a name in the symbols' string table; appended if it is new.
    pub fn name(&mut self, name: &str) -> Result<u32, ObjectError> {
        if let Some(&offset) = self.names.get(name) {
            return Ok(offset);
        }
        let strings = self.elf.sections[self.table()?].link as usize;
        if strings >= self.elf.sections.len() {
            return Err(ObjectError::malformed("symbol table without names"));
        }
        let start = self.append(strings, name.as_bytes());
        self.append(strings, &[0]);
        let offset =
            u32::try_from(start).map_err(|_| ObjectError::malformed("string table too large"))?;
        self.names.insert(name.to_owned(), offset);
        Ok(offset)
    }

    /// Offset of an existing symbol's name in the string table.
    pub fn name_of(&self, symbol: usize) -> Result<u32, ObjectError> {
        let bytes = self.elf.bytes(self.table()?)?;
        let entry = &bytes[symbol * SYMBOL_SIZE..];
        Ok(u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]))
    }

    /// Appends a global symbol of default visibility and returns its index.
    pub fn add_symbol(&mut self, symbol: NewSymbol) -> Result<u32, ObjectError> {
        let table = self.table()?;
        let index = self.elf.symbols.len() as u32 + self.added;
        self.added += 1;
        let section = symbol.section.unwrap_or(0) as u32;
        let extended = section >= u32::from(elf::SHN_LORESERVE);
        let short = if extended {
            elf::SHN_XINDEX
        } else {
            section as u16
        };
        let mut bytes = [0; SYMBOL_SIZE];
        bytes[..4].copy_from_slice(&symbol.name.to_le_bytes());
        bytes[4] = (symbol.binding << 4) | symbol.kind;
        bytes[5] = elf::STV_DEFAULT;
        bytes[6..8].copy_from_slice(&short.to_le_bytes());
        bytes[8..16].copy_from_slice(&symbol.value.to_le_bytes());
        bytes[16..].copy_from_slice(&symbol.size.to_le_bytes());
        self.append(table, &bytes);
        match self.elf.extended_indices {
            Some(indices) => {
                let entry = if extended { section } else { 0 };
                self.append(indices, &entry.to_le_bytes());
            }
            None if extended => {
                return Err(ObjectError::malformed(
                    "many sections but no extended symbol indices",
                ));
            }
            None => {}
        }
        Ok(index)
    }

    /// Sets an existing symbol's visibility to default.
    pub fn make_default(&mut self, symbol: usize) -> Result<(), ObjectError> {
        let table = self.table()?;
        self.write(
            table,
            (symbol * SYMBOL_SIZE + 5) as u64,
            &[elf::STV_DEFAULT],
        );
        Ok(())
    }

    /// Makes an existing global symbol an undefined one of default visibility.
    pub fn undefine(&mut self, symbol: usize, name: u32, kind: u8) -> Result<(), ObjectError> {
        let table = self.table()?;
        let mut bytes = [0; SYMBOL_SIZE];
        bytes[..4].copy_from_slice(&name.to_le_bytes());
        bytes[4] = (elf::STB_GLOBAL << 4) | kind;
        self.write(table, (symbol * SYMBOL_SIZE) as u64, &bytes);
        if let Some(indices) = self.elf.extended_indices {
            self.write(indices, (symbol * 4) as u64, &[0; 4]);
        }
        Ok(())
    }

    /// Makes an existing global symbol an absolute one that no other file sees, under a name that
    /// nobody refers to.
    pub fn vacate(&mut self, symbol: usize, name: u32) -> Result<(), ObjectError> {
        let table = self.table()?;
        let mut bytes = [0; SYMBOL_SIZE];
        bytes[..4].copy_from_slice(&name.to_le_bytes());
        // Weak, since several objects may vacate a symbol of one name.
        bytes[4] = elf::STB_WEAK << 4;
        bytes[5] = elf::STV_HIDDEN;
        bytes[6..8].copy_from_slice(&elf::SHN_ABS.to_le_bytes());
        self.write(table, (symbol * SYMBOL_SIZE) as u64, &bytes);
        Ok(())
    }

    /// Sets an existing symbol's size.
    pub fn resize_symbol(&mut self, symbol: usize, size: u64) -> Result<(), ObjectError> {
        let table = self.table()?;
        self.write(
            table,
            (symbol * SYMBOL_SIZE + 16) as u64,
            &size.to_le_bytes(),
        );
        Ok(())
    }

    fn table(&self) -> Result<usize, ObjectError> {
        self.elf
            .symbol_table
            .ok_or_else(|| ObjectError::malformed("no symbol table"))
    }

    /// The changed object, or `None` if nothing was asked for.
    pub fn finish(self) -> Result<Option<Vec<u8>>, ObjectError> {
        let untouched = self.edits.is_empty()
            && self.tails.is_empty()
            && self.sizes.is_empty()
            && self.excluded.is_empty();
        if untouched {
            return Ok(None);
        }
        let mut grown = 0;
        for (&section, tail) in &self.tails {
            grown += self.elf.bytes(section)?.len() + tail.len() + 64;
        }
        let mut out = Vec::with_capacity(self.elf.data.len() + grown);
        out.extend_from_slice(self.elf.data);
        let mut starts: HashMap<usize, usize> = HashMap::new();
        for (&section, tail) in &self.tails {
            starts.insert(section, self.move_to_end(&mut out, section, tail)?);
        }
        for edit in &self.edits {
            let original = self.elf.sections[edit.section].offset as usize;
            let base = starts.get(&edit.section).copied().unwrap_or(original);
            let start = base.saturating_add(edit.offset as usize);
            let length = usize::from(edit.length);
            out.get_mut(start..start.saturating_add(length))
                .ok_or_else(|| ObjectError::malformed("edit outside the file"))?
                .copy_from_slice(&edit.bytes[..length]);
        }
        for (&section, &size) in &self.sizes {
            self.write_header(&mut out, section, HEADER_DATA_SIZE, size)?;
        }
        for &section in &self.excluded {
            let flags = self.elf.sections[section].flags | u64::from(elf::SHF_EXCLUDE);
            self.write_header(&mut out, section, HEADER_FLAGS, flags)?;
        }
        Ok(Some(out))
    }

    fn move_to_end(
        &self,
        out: &mut Vec<u8>,
        section: usize,
        tail: &[u8],
    ) -> Result<usize, ObjectError> {
        if self.elf.sections[section].kind == elf::SHT_NOBITS {
            return Err(ObjectError::malformed("code without contents"));
        }
        let align = self.elf.sections[section].align.clamp(8, 64) as usize;
        out.resize(out.len().next_multiple_of(align), 0);
        let start = out.len();
        out.extend_from_slice(self.elf.bytes(section)?);
        out.extend_from_slice(tail);
        let size = (out.len() - start) as u64;
        self.write_header(out, section, HEADER_OFFSET, start as u64)?;
        self.write_header(out, section, HEADER_DATA_SIZE, size)?;
        Ok(start)
    }

    fn write_header(
        &self,
        out: &mut [u8],
        section: usize,
        field: usize,
        value: u64,
    ) -> Result<(), ObjectError> {
        let start = self.elf.header_offset as usize + section * HEADER_SIZE + field;
        out.get_mut(start..start + 8)
            .ok_or_else(|| ObjectError::malformed("section headers exceed the file"))?
            .copy_from_slice(&value.to_le_bytes());
        Ok(())
    }
}

fn info(target: Target) -> u64 {
    (u64::from(target.symbol) << 32) | u64::from(target.kind)
}
