//! Symbols of files in memory, by address: read from the file each time, since that is rare.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// More than the symbol table of a large program takes.
const LIMIT: u64 = 1 << 30;
const HEADER_BYTES: u64 = 64;
const SECTION_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const SYMBOL_TABLE: u32 = 2;

/// The functions and statics of a file.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Address in the file, size, place of the name; by address.
    all: Vec<(u64, u64, u32)>,
    names: Vec<u8>,
}

impl Symbols {
    /// Reads the file's symbol table. Without one, or where it is damaged, there are none.
    pub(super) fn read(path: &Path) -> Self {
        Self::try_read(path).unwrap_or_default()
    }

    fn try_read(path: &Path) -> Option<Self> {
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
            part(&file, start..start.checked_add(number(section, 32, 8)?)?)
        };
        let mut all = (0..count as usize).filter_map(section);
        let table = all.find(|it| number(it, 4, 4) == Some(u64::from(SYMBOL_TABLE)))?;
        let names = content(section(number(table, 40, 4)? as usize)?)?;
        let table = content(table)?;
        let mut all: Vec<_> = table
            .chunks_exact(SYMBOL_BYTES)
            .filter_map(symbol)
            .collect();
        all.sort_unstable();
        Some(Self { all, names })
    }

    /// The symbol at an address of the file.
    pub(super) fn at(&self, address: u64) -> Option<String> {
        let after = self.all.partition_point(|(start, _, _)| *start <= address);
        let (start, bytes, name) = *self.all.get(after.checked_sub(1)?)?;
        if address - start >= bytes.max(1) {
            return None;
        }
        let name = self.names.get(name as usize..)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&name[..end]).into_owned())
    }
}

/// A function or static that is defined in the file.
fn symbol(bytes: &[u8]) -> Option<(u64, u64, u32)> {
    let kind = number(bytes, 4, 1)? & 15;
    let section = number(bytes, 6, 2)?;
    let found = (
        number(bytes, 8, 8)?,
        number(bytes, 16, 8)?,
        number(bytes, 0, 4)? as u32,
    );
    ((kind == 1 || kind == 2) && section != 0).then_some(found)
}

fn part(file: &File, range: Range<u64>) -> Option<Vec<u8>> {
    let bytes = range
        .end
        .checked_sub(range.start)
        .filter(|bytes| *bytes <= LIMIT)?;
    if range.end > file.metadata().ok()?.len() {
        return None;
    }
    let mut part = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact_at(&mut part, range.start).ok()?;
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
