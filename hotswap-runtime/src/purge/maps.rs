//! What is mapped, from the kernel's text, without allocating.

use std::ops::Range;

use super::arena::{Plain, Table};

/// A mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where its name stands in the text, and how many bytes it has.
    name: (u32, u32),
    readable: bool,
    writable: bool,
    shared: bool,
    kind: Kind,
    /// Whether writes to it are tracked.
    pub(super) tracked: bool,
}

// SAFETY: integers, booleans and an enum whose first value is 0.
unsafe impl Plain for Mapping {}

/// What a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Memory, with or without a file.
    Memory = 0,
    /// The kernel's own pages, which hold no pointer of the program's.
    Kernel,
    /// The stack of the first thread.
    FirstStack,
    /// A device's, or something else of which the kernel's page tables tell nothing.
    Device,
}

impl Mapping {
    /// Reads one line.
    fn read(text: &[u8], from: usize, to: usize) -> Option<Self> {
        let line = text.get(from..to)?;
        let mut at = 0;
        let start = number(line, &mut at, b'-')?;
        let end = number(line, &mut at, b' ')?;
        let flags = line.get(at..at + 4)?;
        // Offset, device and inode, then blanks up to the name.
        let mut blanks = 0;
        let mut name = line.len();
        for (index, byte) in line.iter().enumerate().skip(at) {
            if *byte == b' ' {
                blanks += usize::from(line.get(index + 1) != Some(&b' '));
            } else if blanks >= 4 {
                name = index;
                break;
            }
        }
        Some(Self {
            start,
            end,
            name: ((from + name) as u32, (line.len() - name) as u32),
            readable: flags[0] == b'r',
            writable: flags[1] == b'w',
            shared: flags[3] == b's',
            kind: Kind::of(line.get(name..)?),
            tracked: false,
        })
    }

    /// Whether all of it is private memory that can be read in place.
    pub(super) fn is_plain(&self) -> bool {
        self.readable && !self.shared && self.name.1 == 0 && self.kind == Kind::Memory
    }

    /// Whether pages that belong to its file hold what the file holds.
    pub(super) fn is_private(&self) -> bool {
        !self.shared
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name in the text that it was read from.
    pub(super) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let (start, length) = self.name;
        text.get(start as usize..(start + length) as usize)
            .unwrap_or_default()
    }
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        let begins = |prefixes: &[&[u8]]| prefixes.iter().any(|it| name.starts_with(it));
        if begins(&[b"[vvar", b"[vdso", b"[vsyscall", b"[uprobes"]) {
            Self::Kernel
        } else if name == b"[stack]" {
            Self::FirstStack
        } else if begins(&[b"/dev/shm/", b"/dev/zero", b"/dev/hugepages/"]) {
            Self::Memory
        } else if begins(&[
            b"/dev/",
            b"anon_inode:",
            b"/sys/",
            b"/proc/",
            b"socket:",
            b"/dmabuf",
        ]) {
            Self::Device
        } else {
            Self::Memory
        }
    }
}

/// Reads a hexadecimal number and what ends it.
fn number(line: &[u8], at: &mut usize, end: u8) -> Option<u64> {
    let mut number = 0u64;
    loop {
        let byte = *line.get(*at)?;
        *at += 1;
        if byte == end {
            return Some(number);
        }
        let digit = (byte as char).to_digit(16)?;
        number = number.checked_mul(16)?.checked_add(u64::from(digit))?;
    }
}

/// Reads all lines into the table. False if one is unlike the others, or there are too many.
pub(super) fn read(text: &[u8], mappings: &mut Table<Mapping>) -> bool {
    mappings.clear();
    let mut from = 0;
    while from < text.len() {
        let Some(length) = text[from..].iter().position(|byte| *byte == b'\n') else {
            return false;
        };
        let mapping = Mapping::read(text, from, from + length);
        if !mapping.is_some_and(|mapping| mappings.push(mapping)) {
            return false;
        }
        from += length + 1;
    }
    true
}

/// The range of a mapping and of those of its sort that adjoin. The kernel lists one heap or stack as two,
/// for good, if a part of it was made while another was tracked.
pub(super) fn joined(mappings: &[Mapping], place: usize, text: &[u8]) -> Range<u64> {
    let sort = |mapping: &Mapping| {
        (
            mapping.is_plain(),
            mapping.is_writable(),
            mapping.name(text),
        )
    };
    let adjoin = |before: &Mapping, behind: &Mapping| {
        before.end == behind.start && sort(before) == sort(behind)
    };
    let (mut first, mut last) = (place, place);
    while first > 0 && adjoin(&mappings[first - 1], &mappings[first]) {
        first -= 1;
    }
    while last + 1 < mappings.len() && adjoin(&mappings[last], &mappings[last + 1]) {
        last += 1;
    }
    mappings[first].start..mappings[last].end
}

#[cfg(test)]
mod tests {
    use super::super::arena::Arena;
    use super::*;

    #[test]
    fn lines_as_the_kernel_writes_them() {
        let text = b"\
555555554000-555555556000 r--p 00000000 fe:00 123                        /usr/bin/a b
7ffff7d00000-7ffff7d21000 rw-p 00000000 00:00 0 
7ffff7e00000-7ffff7e21000 ---p 00000000 00:00 0                          [anon: x]
7ffff7f00000-7ffff7f01000 rw-s 00000000 00:0e 99                         anon_inode:[io_uring]
7ffff7f10000-7ffff7f11000 rw-s 00000000 00:01 99                         /dev/shm/x (deleted)
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";
        let mut arena = Arena::new(1 << 16).unwrap();
        let mut table = arena.table(16);
        assert!(read(text, &mut table));
        let told = |mapping: &Mapping| {
            let name = String::from_utf8(mapping.name(text).to_vec()).unwrap();
            (mapping.start, name, mapping.is_plain(), mapping.kind())
        };
        let expected = [
            (0x5555_5555_4000, "/usr/bin/a b", false, Kind::Memory),
            (0x7fff_f7d0_0000, "", true, Kind::Memory),
            (0x7fff_f7e0_0000, "[anon: x]", false, Kind::Memory),
            (
                0x7fff_f7f0_0000,
                "anon_inode:[io_uring]",
                false,
                Kind::Device,
            ),
            (
                0x7fff_f7f1_0000,
                "/dev/shm/x (deleted)",
                false,
                Kind::Memory,
            ),
            (0x7fff_fffd_e000, "[stack]", false, Kind::FirstStack),
            (0xffff_ffff_ff60_0000, "[vsyscall]", false, Kind::Kernel),
        ];
        let expected =
            expected.map(|(start, name, plain, kind)| (start, name.to_owned(), plain, kind));
        assert_eq!(table.iter().map(told).collect::<Vec<_>>(), expected);
        let mut small = arena.table(2);
        assert!(!read(text, &mut small));
        assert!(!read(b"nonsense\n", &mut table));
        assert!(!read(b"1-2 rw-p 0 0 0", &mut table));
    }
}
