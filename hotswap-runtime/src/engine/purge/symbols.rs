//! Symbols of files in memory, by address: read from the file each time, since that is rare.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::purge::arena::{Arena, Table};

/// More than the symbol table of a large program takes.
const LIMIT: u64 = 1 << 30;
const HEADER_BYTES: u64 = 64;
const SECTION_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const SYMBOL_TABLE: u32 = 2;
/// More than what lies between tables.
const SLACK: usize = 256;

/// The functions and statics of a file. None if they can't be told.
#[derive(Debug, Default)]
pub(super) struct Symbols(Option<Tables>);

/// They lie beside the heap: there may be many, and the allocator would keep that much for later.
#[derive(Debug)]
struct Tables {
    /// As in the file, by address.
    all: Table<u8>,
    names: Table<u8>,
    _memory: Arena,
}

impl Symbols {
    /// Reads the file's symbol table. Without one, or where it is damaged, there are none.
    pub(super) fn read(path: &Path) -> Self {
        Self(Tables::read(path))
    }

    /// The symbol at an address of the file.
    pub(super) fn at(&self, address: u64) -> Option<String> {
        let Tables { all, names, .. } = self.0.as_ref()?;
        let (all, _) = all.as_chunks::<SYMBOL_BYTES>();
        let start = |entry: &[u8; SYMBOL_BYTES]| number(entry, 8, 8).unwrap_or(0);
        let after = all.partition_point(|entry| start(entry) <= address);
        let entry = &all[after.checked_sub(1)?];
        if address - start(entry) >= number(entry, 16, 8)?.max(1) {
            return None;
        }
        let name = names.get(number(entry, 0, 4)? as usize..)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&name[..end]).into_owned())
    }
}

impl Tables {
    fn read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let header = part(&file, 0..HEADER_BYTES)?;
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let start = number(&header, 40, 8)?;
        let count = number(&header, 60, 2)?;
        let sections = part(
            &file,
            start..start.checked_add(count * SECTION_BYTES as u64)?,
        )?;
        let section =
            |index: usize| sections.get(index * SECTION_BYTES..(index + 1) * SECTION_BYTES);
        let content = |section: &[u8]| {
            let start = number(section, 24, 8)?;
            range(&file, start..start.checked_add(number(section, 32, 8)?)?)
        };
        let mut all = (0..count as usize).filter_map(section);
        let table = all.find(|it| number(it, 4, 4) == Some(u64::from(SYMBOL_TABLE)))?;
        let names = content(section(number(table, 40, 4)? as usize)?)?;
        let table = content(table)?;
        let bytes = |range: &Range<u64>| (range.end - range.start) as usize;
        let mut memory = Arena::new(bytes(&table) + bytes(&names) + SLACK).ok()?;
        let mut read = |range: Range<u64>| {
            let mut part = memory.table(bytes(&range));
            file.read_exact_at(part.room(), range.start).ok()?;
            Some(part)
        };
        let (mut all, mut names) = (read(table)?, read(names)?);
        let length = names.room().len();
        names.set_length(length);
        let kept = sort(all.room());
        all.set_length(kept);
        Some(Self {
            all,
            names,
            _memory: memory,
        })
    }
}

/// Moves functions and statics that are defined in the file to the front, by address. How many bytes they take.
fn sort(table: &mut [u8]) -> usize {
    let (all, _) = table.as_chunks_mut::<SYMBOL_BYTES>();
    let mut kept = 0;
    for index in 0..all.len() {
        if is_defined(&all[index]) == Some(true) {
            all.swap(kept, index);
            kept += 1;
        }
    }
    all[..kept].sort_unstable_by_key(|entry| (number(entry, 8, 8), number(entry, 16, 8)));
    kept * SYMBOL_BYTES
}

/// Whether a symbol is a function or static that is defined in the file.
fn is_defined(symbol: &[u8]) -> Option<bool> {
    let kind = number(symbol, 4, 1)? & 15;
    Some((kind == 1 || kind == 2) && number(symbol, 6, 2)? != 0)
}

/// The range, if the file has it.
fn range(file: &File, range: Range<u64>) -> Option<Range<u64>> {
    let bytes = range.end.checked_sub(range.start)?;
    (bytes <= LIMIT && range.end <= file.metadata().ok()?.len()).then_some(range)
}

fn part(file: &File, wanted: Range<u64>) -> Option<Vec<u8>> {
    let wanted = range(file, wanted)?;
    let mut part = vec![0; usize::try_from(wanted.end - wanted.start).ok()?];
    file.read_exact_at(&mut part, wanted.start).ok()?;
    Some(part)
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?.iter().rev();
    Some(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::loaded;

    #[test]
    fn this_executable_s_symbols() {
        static KNOWN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let symbols = Symbols::read(Path::new("/proc/self/exe"));
        let base = loaded::executable().unwrap().base;
        let name = |address: usize| symbols.at((address - base) as u64).unwrap_or_default();
        assert!(name((&raw const KNOWN).addr()).contains("KNOWN"));
        let function = this_executable_s_symbols as fn() as usize;
        assert!(name(function).contains("this_executable_s_symbols"));
        assert_eq!(symbols.at(u64::MAX), None);
        assert_eq!(Symbols::read(Path::new("/proc/self/maps")).at(0), None);
    }
}
