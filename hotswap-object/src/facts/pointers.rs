//! What initial pointers refer to, compared by content where the target has no name of its own.

use std::collections::HashMap;

use object::elf;
use serde::{Deserialize, Serialize};

use crate::elf::{Elf, Rela, addend_of, offset_of, symbol_of, type_of};
use crate::error::ObjectError;
use crate::names::{canonical_path, identity, is_item};
use crate::state::Role;

/// Levels of pointers that are followed before contents count as equal.
const DEPTH: usize = 16;

/// What an initial pointer refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Pointee {
    /// A function, by path.
    Function(String),
    /// A writable static, by path and offset in it.
    Static(String, u64),
    /// Something another object defines, by path and offset.
    Elsewhere(String, i64),
    /// Read-only data, by the digest of all that can be reached from it.
    Constant(u64),
    /// Writable memory without a name, by the digest of its initial content.
    Anonymous(u64),
}

/// Digest (FNV-1a, 64 bits) of bytes without their trailing zeros.
pub fn digest(bytes: &[u8]) -> u64 {
    let length = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut hash = Digest::default();
    hash.add(&bytes[..length]);
    hash.0
}

struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add_number(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }
}

/// Access to the initial contents of an object's sections.
pub struct Contents<'elf, 'data> {
    elf: &'elf Elf<'data>,
    roles: &'elf [Role],
    /// Symbols that name something, by section and sorted by value.
    named: HashMap<usize, Vec<usize>>,
}

impl<'elf, 'data> Contents<'elf, 'data> {
    pub fn new(elf: &'elf Elf<'data>, roles: &'elf [Role]) -> Self {
        let mut named: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, symbol) in elf.symbols.iter().enumerate() {
            if let Some(section) = symbol.section.filter(|_| !symbol.is_section()) {
                named.entry(section).or_default().push(index);
            }
        }
        for symbols in named.values_mut() {
            symbols.sort_by_key(|&index| elf.symbols[index].value);
        }
        Self { elf, roles, named }
    }

    /// The initial bytes of a range; empty where memory starts as zero.
    pub fn bytes(&self, section: usize, start: u64, size: u64) -> Result<&'data [u8], ObjectError> {
        let bytes = self.elf.bytes(section)?;
        if self.elf.sections[section].kind == elf::SHT_NOBITS {
            return Ok(bytes);
        }
        start
            .checked_add(size)
            .and_then(|end| bytes.get(start as usize..end as usize))
            .ok_or_else(|| ObjectError::malformed("a static exceeds its section"))
    }

    /// The initial pointers in a range, by their offset in it.
    pub fn pointers(
        &self,
        section: usize,
        start: u64,
        size: u64,
    ) -> Result<Vec<(u64, Pointee)>, ObjectError> {
        self.pointers_at(section, start, size, DEPTH)
    }

    fn pointers_at(
        &self,
        section: usize,
        start: u64,
        size: u64,
        depth: usize,
    ) -> Result<Vec<(u64, Pointee)>, ObjectError> {
        let mut pointers = Vec::new();
        for relocation in self.elf.relocations_of(section)? {
            let offset = offset_of(relocation);
            if type_of(relocation) != elf::R_X86_64_NONE
                && (start..start.saturating_add(size)).contains(&offset)
            {
                pointers.push((offset - start, self.pointee(relocation, depth)?));
            }
        }
        pointers.sort_by_key(|(offset, _)| *offset);
        Ok(pointers)
    }

    fn pointee(&self, relocation: &Rela, depth: usize) -> Result<Pointee, ObjectError> {
        let symbol = self.elf.symbol(symbol_of(relocation))?;
        let addend = addend_of(relocation);
        let Some(section) = symbol.section else {
            return Ok(Pointee::Elsewhere(
                identity(&canonical_path(symbol.name)),
                addend,
            ));
        };
        let at = symbol.value.wrapping_add_signed(addend);
        let name = self.name_at(section, at);
        match (self.roles[section], name) {
            (Role::Text, Some((name, _))) => Ok(Pointee::Function(identity(&canonical_path(name)))),
            (Role::State | Role::ThreadState, Some((name, offset))) => {
                Ok(Pointee::Static(canonical_path(name), offset))
            }
            (Role::State | Role::ThreadState, None) => {
                Ok(Pointee::Anonymous(self.deep(section, at, depth)?))
            }
            _ => Ok(Pointee::Constant(self.deep(section, at, depth)?)),
        }
    }

    /// The item that lies at an address, and the offset in it.
    fn name_at(&self, section: usize, at: u64) -> Option<(&'data str, u64)> {
        let symbols = self.named.get(&section)?;
        let end = symbols.partition_point(|&index| self.elf.symbols[index].value <= at);
        let symbol = &self.elf.symbols[*symbols[..end].last()?];
        let inside = at - symbol.value < symbol.size.max(1);
        (inside && is_item(symbol.name)).then_some((symbol.name, at - symbol.value))
    }

    /// Digest of what lies at an address, with all it points at.
    fn deep(&self, section: usize, at: u64, depth: usize) -> Result<u64, ObjectError> {
        let mut hash = Digest::default();
        if depth == 0 {
            return Ok(hash.0);
        }
        let (start, size) = self.extent(section, at)?;
        hash.add_number(at.wrapping_sub(start));
        hash.add_number(size);
        hash.add(self.bytes(section, start, size)?);
        for (offset, pointee) in self.pointers_at(section, start, size, depth - 1)? {
            hash.add_number(offset);
            add_pointee(&mut hash, &pointee);
        }
        Ok(hash.0)
    }

    /// Start and size of the object that lies at an address: a merged string or constant, the
    /// symbol's range, or the section.
    fn extent(&self, index: usize, at: u64) -> Result<(u64, u64), ObjectError> {
        let section = &self.elf.sections[index];
        let rest = section.size.saturating_sub(at);
        if section.flags & u64::from(elf::SHF_MERGE) != 0 {
            if section.flags & u64::from(elf::SHF_STRINGS) == 0 {
                return Ok((at, rest.min(section.entry_size)));
            }
            let bytes = self.bytes(index, at, rest)?;
            let length = bytes
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(bytes.len());
            return Ok((at, length as u64));
        }
        if let Some(symbols) = self.named.get(&index) {
            let end = symbols.partition_point(|&symbol| self.elf.symbols[symbol].value <= at);
            if let Some(&symbol) = symbols[..end].last() {
                let symbol = &self.elf.symbols[symbol];
                if at - symbol.value < symbol.size {
                    return Ok((symbol.value, symbol.size));
                }
            }
        }
        Ok((0, section.size))
    }
}

fn add_pointee(hash: &mut Digest, pointee: &Pointee) {
    match pointee {
        Pointee::Function(path) => {
            hash.add(b"f");
            hash.add(path.as_bytes());
        }
        Pointee::Static(path, offset) => {
            hash.add(b"s");
            hash.add(path.as_bytes());
            hash.add_number(*offset);
        }
        Pointee::Elsewhere(path, offset) => {
            hash.add(b"e");
            hash.add(path.as_bytes());
            hash.add_number(offset.cast_unsigned());
        }
        Pointee::Constant(content) => {
            hash.add(b"c");
            hash.add_number(*content);
        }
        Pointee::Anonymous(content) => {
            hash.add(b"a");
            hash.add_number(*content);
        }
    }
}
