//! Writes what stays of an object, with new numbers for sections and symbols.

use std::borrow::Cow;
use std::collections::HashMap;

use object::elf;

use super::{Slice, no_section};
use crate::elf::{Rela, SYMBOL_SIZE, symbol_of};
use crate::error::ObjectError;
use crate::state::{Role, role};

const FILE_HEADER_SIZE: usize = 64;
const HEADER_SIZE: usize = 64;
const RELA_SIZE: usize = 24;
/// Strictest alignment that a section in a file can want.
const MAX_ALIGN: u64 = 4096;

/// Places in the file's header: of the section headers, their number, and that of their names.
const HEADERS_AT: usize = 40;
const COUNT_AT: usize = 60;
const NAMES_AT: usize = 62;

/// Places in a section's header.
const NAME: usize = 0;
const OFFSET: usize = 24;
const SIZE: usize = 32;
const LINK: usize = 40;
const INFO: usize = 44;

/// Places in a symbol.
const SYMBOL_INFO: usize = 4;
const SYMBOL_SECTION: usize = 6;

/// The object with what stays.
pub fn write(slice: &Slice<'_, '_>) -> Result<Vec<u8>, ObjectError> {
    let file = slice.elf.data.get(..FILE_HEADER_SIZE).ok_or_else(short)?;
    let names = usize::from(u16::from_le_bytes([file[NAMES_AT], file[NAMES_AT + 1]]));
    let mut writer = Writer {
        slice,
        sections: numbers(slice.stay.len(), |index| index == 0 || slice.stay[index]),
        symbols: numbers(slice.elf.symbols.len(), |index| slice.has(index)),
        section_names: names,
        names: Names::default(),
    };
    let (symbols, locals) = writer.symbol_table()?;
    let headers = writer.headers()?;
    let mut out = file.to_vec();
    let mut table = Vec::new();
    for (index, mut header) in headers {
        let section = &slice.elf.sections[index];
        if section.kind != elf::SHT_NOBITS && index != 0 {
            let bytes = match index {
                _ if index == slice.table => Cow::Borrowed(symbols.as_slice()),
                _ if index == writer.strings() || index == names => writer.text(index)?,
                _ => writer.content(index)?,
            };
            let align = section.align.clamp(1, MAX_ALIGN) as usize;
            out.resize(out.len().next_multiple_of(align), 0);
            put(&mut header, OFFSET, &(out.len() as u64).to_le_bytes());
            put(&mut header, SIZE, &(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&bytes);
        }
        if index == slice.table {
            put(&mut header, INFO, &locals.to_le_bytes());
        }
        table.extend_from_slice(&header);
    }
    out.resize(out.len().next_multiple_of(8), 0);
    let place = (out.len() as u64).to_le_bytes();
    put(&mut out, HEADERS_AT, &place);
    let count = (table.len() / HEADER_SIZE) as u16;
    put(&mut out, COUNT_AT, &count.to_le_bytes());
    put(
        &mut out,
        NAMES_AT,
        &(writer.section(names)? as u16).to_le_bytes(),
    );
    out.extend_from_slice(&table);
    Ok(out)
}

struct Writer<'a, 'elf, 'data> {
    slice: &'a Slice<'elf, 'data>,
    /// For each section the number that it gets.
    sections: Vec<Option<u32>>,
    /// For each symbol the number that it gets.
    symbols: Vec<Option<u32>>,
    /// The section with the names of sections.
    section_names: usize,
    names: Names<'data>,
}

impl<'data> Writer<'_, '_, 'data> {
    /// The section with the names of symbols.
    fn strings(&self) -> usize {
        self.slice.elf.sections[self.slice.table].link as usize
    }

    fn section(&self, index: usize) -> Result<u32, ObjectError> {
        let number = self.sections.get(index).copied().flatten();
        number.ok_or_else(|| ObjectError::malformed("a section that stays needs one that goes"))
    }

    /// The symbols that stay, and how many of them are local.
    fn symbol_table(&mut self) -> Result<(Vec<u8>, u32), ObjectError> {
        let elf = self.slice.elf;
        let old = elf.bytes(self.slice.table)?;
        let (mut table, mut locals) = (Vec::new(), 0);
        for (index, symbol) in elf.symbols.iter().enumerate() {
            if self.symbols[index].is_none() {
                continue;
            }
            let from = index * SYMBOL_SIZE;
            let bytes = old.get(from..from + SYMBOL_SIZE).ok_or_else(short)?;
            let mut bytes = bytes.to_vec();
            put(&mut bytes, 0, &self.names.add(symbol.name).to_le_bytes());
            match symbol.section {
                Some(section) if self.slice.stay[section] => {
                    let number = self.section(section)? as u16;
                    put(&mut bytes, SYMBOL_SECTION, &number.to_le_bytes());
                }
                Some(_) => {
                    // Another file defines it from now on.
                    let info = (elf::STB_GLOBAL << 4) | elf::STT_NOTYPE;
                    put(&mut bytes, SYMBOL_INFO, &[info, elf::STV_DEFAULT]);
                    put(&mut bytes, SYMBOL_SECTION, &[0; 18]);
                }
                None => {}
            }
            locals += u32::from(symbol.is_local());
            table.extend_from_slice(&bytes);
        }
        Ok((table, locals))
    }

    /// The headers of the sections that stay, by the numbers that these have now, without place and
    /// size.
    fn headers(&mut self) -> Result<Vec<(usize, Vec<u8>)>, ObjectError> {
        let elf = self.slice.elf;
        let from = usize::try_from(elf.header_offset).map_err(|_| short())?;
        let headers = elf.data.get(from..).ok_or_else(short)?;
        let mut found = Vec::new();
        for (index, section) in elf.sections.iter().enumerate() {
            if self.sections[index].is_none() {
                continue;
            }
            let from = index * HEADER_SIZE;
            let header = headers.get(from..from + HEADER_SIZE).ok_or_else(short)?;
            let mut header = header.to_vec();
            if index != 0 {
                if self.section_names == self.strings() {
                    put(
                        &mut header,
                        NAME,
                        &self.names.add(section.name).to_le_bytes(),
                    );
                }
                let link = self.section(section.link as usize)?;
                put(&mut header, LINK, &link.to_le_bytes());
                let info = self.info(section.kind, section.info, section.flags)?;
                put(&mut header, INFO, &info.to_le_bytes());
            }
            found.push((index, header));
        }
        Ok(found)
    }

    /// What a header's field of that name is now, which means something else in each kind of section.
    fn info(&self, kind: u32, info: u32, flags: u64) -> Result<u32, ObjectError> {
        match kind {
            elf::SHT_GROUP => {
                let symbol = self.symbols.get(info as usize).copied().flatten();
                symbol.ok_or_else(no_section)
            }
            elf::SHT_RELA => self.section(info as usize),
            _ if flags & u64::from(elf::SHF_INFO_LINK) != 0 => self.section(info as usize),
            _ => Ok(info),
        }
    }

    /// What a section holds now.
    fn content(&self, index: usize) -> Result<Cow<'data, [u8]>, ObjectError> {
        let elf = self.slice.elf;
        let section = &elf.sections[index];
        let frames = self.slice.frames.as_ref();
        if let Some(frames) = frames.filter(|frames| frames.section == index) {
            return Ok(Cow::Owned(frames.bytes.clone()));
        }
        if let Some(group) = self.slice.groups.iter().find(|one| one.section == index) {
            let mut bytes = group.flags.to_le_bytes().to_vec();
            for member in &group.members {
                bytes.extend_from_slice(&self.section(*member)?.to_le_bytes());
            }
            return Ok(Cow::Owned(bytes));
        }
        if section.kind != elf::SHT_RELA {
            return Ok(Cow::Borrowed(elf.bytes(index)?));
        }
        let of = section.info as usize;
        let loaded = elf.sections.get(of).map(role) != Some(Role::Unloaded);
        match frames.filter(|frames| frames.section == of) {
            Some(frames) => self.relocations(&frames.relocations, loaded),
            None => self.relocations(elf.relocation_table(index)?, loaded),
        }
        .map(Cow::Owned)
    }

    /// Relocations with the numbers of now. Debug information of what went refers to nothing.
    fn relocations(&self, relocations: &[Rela], loaded: bool) -> Result<Vec<u8>, ObjectError> {
        let mut bytes = object::pod::bytes_of_slice(relocations).to_vec();
        for (relocation, bytes) in relocations.iter().zip(bytes.chunks_exact_mut(RELA_SIZE)) {
            let symbol = symbol_of(relocation);
            let goes = || {
                let section = self.slice.elf.symbols.get(symbol)?.section?;
                Some(!self.slice.stay[section])
            };
            let number = match self.symbols.get(symbol).copied().flatten() {
                Some(number) if loaded || goes() != Some(true) => number,
                _ if loaded => return Err(ObjectError::malformed("a symbol that is used goes")),
                _ => 0,
            };
            put(bytes, 12, &number.to_le_bytes());
        }
        Ok(bytes)
    }

    /// The names of symbols or of sections, in one section or in two.
    fn text(&self, index: usize) -> Result<Cow<'data, [u8]>, ObjectError> {
        if index == self.strings() {
            let mut text = self.names.text.clone();
            text.extend(self.names.text.is_empty().then_some(0));
            return Ok(Cow::Owned(text));
        }
        self.slice.elf.bytes(index).map(Cow::Borrowed)
    }
}

/// Names, one after the other, each once.
#[derive(Default)]
struct Names<'data> {
    text: Vec<u8>,
    places: HashMap<&'data str, u32>,
}

impl<'data> Names<'data> {
    fn add(&mut self, name: &'data str) -> u32 {
        if self.text.is_empty() {
            self.text.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        *self.places.entry(name).or_insert_with(|| {
            let place = self.text.len() as u32;
            self.text.extend_from_slice(name.as_bytes());
            self.text.push(0);
            place
        })
    }
}

/// New numbers for those that stay.
fn numbers(count: usize, stays: impl Fn(usize) -> bool) -> Vec<Option<u32>> {
    let mut next = 0..;
    let number = |index| stays(index).then(|| next.next()).flatten();
    (0..count).map(number).collect()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn short() -> ObjectError {
    ObjectError::malformed("headers exceed the file")
}
