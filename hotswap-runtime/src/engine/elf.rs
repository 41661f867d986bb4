//! Reads what the runtime needs of a 64-bit ELF file: its segments and its build id.
//!
//! Pure: bytes come from a caller's function, so that truncated and hostile files are a table of
//! tests. Layouts are from the System V ABI's ELF-64 object file format.

use std::io;
use std::ops::Range;

use hotswap_protocol::build_id::BuildId;

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;

/// More program headers than any linker writes.
const MAX_SEGMENTS: u16 = 128;

/// More bytes of notes than any linker writes.
const MAX_NOTE_BYTES: u64 = 64 << 10;

const TYPE_SHARED: u16 = 3;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const SECTION_BYTES: usize = 64;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PT_NOTE: u32 = 4;
const PT_GNU_RELRO: u32 = 0x6474_e552;

const PF_X: u32 = 1;
const PF_W: u32 = 2;

/// The machine number of the target, if code can be swapped on it.
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") {
    Some(62)
} else {
    None
};

/// Why a file is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ElfError {
    #[error("it is no ELF file")]
    NoElf,
    #[error("it is for another kind of machine ({what})")]
    Foreign { what: &'static str },
    #[error("it is no shared object (ELF type {kind})")]
    NotShared { kind: u16 },
    #[error("{what} lies outside the file of {file_bytes} bytes")]
    Truncated { what: &'static str, file_bytes: u64 },
    #[error("{what} is malformed")]
    Malformed { what: &'static str },
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Where parts of a file come from: fills the buffer from the offset on, or fails.
pub(crate) type ReadAt<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// A program header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) align: u64,
}

/// The parts of a file that are in memory once it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    segments: Vec<Segment>,
}

/// What an address must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Calling a function there.
    Code,
    /// Writing data there for as long as the file is loaded.
    State,
}

/// An image file's facts.
#[derive(Debug)]
pub(crate) struct ElfFile {
    pub(crate) layout: Layout,
    pub(crate) build_id: Option<BuildId>,
    pub(crate) dynamic: Dynamic,
}

/// What the system's loader needs of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dynamic {
    /// Parts of the file in memory to which only the loader refers: address and bytes.
    parts: Vec<(u64, u64)>,
    /// Whether code of the file's runs when it is unloaded.
    pub(crate) runs_at_end: bool,
}

impl Dynamic {
    /// Reads the table of sections. Without one nothing is known.
    fn read(sections: &[u8]) -> Self {
        /// Symbols, names, hashes, versions, relocations, the dynamic section: all that are in memory.
        const OF_LOADER: [u32; 9] = [
            3,
            4,
            5,
            6,
            11,
            0x6fff_fff6,
            0x6fff_fffd,
            0x6fff_fffe,
            0x6fff_ffff,
        ];
        const FINI_ARRAY: u32 = 15;
        const IN_MEMORY: u64 = 2;
        let mut dynamic = Self::default();
        for section in sections.chunks_exact(SECTION_BYTES) {
            let (kind, bytes) = (u32_at(section, 4), u64_at(section, 32));
            dynamic.runs_at_end |= kind == FINI_ARRAY && bytes > 0;
            if u64_at(section, 8) & IN_MEMORY != 0 && OF_LOADER.contains(&kind) {
                dynamic.parts.push((u64_at(section, 16), bytes));
            }
        }
        dynamic
    }
}

impl ElfFile {
    /// Reads a shared object of `file_bytes` bytes through `read_at`.
    pub(crate) fn read(file_bytes: u64, read_at: &mut ReadAt<'_>) -> Result<Self, ElfError> {
        let header = read_part(
            file_bytes,
            0,
            HEADER_BYTES as u64,
            "the ELF header",
            read_at,
        )?;
        let (table_offset, count) = check_header(&header)?;
        let bytes = u64::from(count) * SEGMENT_BYTES as u64;
        let table = read_part(
            file_bytes,
            table_offset,
            bytes,
            "the segment table",
            read_at,
        )?;
        let segments: Vec<Segment> = table
            .chunks_exact(SEGMENT_BYTES)
            .map(Segment::parse)
            .collect();
        for segment in &segments {
            segment.check(file_bytes)?;
        }
        let layout = Layout { segments };
        layout.check()?;
        let build_id = layout.file_build_id(file_bytes, read_at)?;
        let start = u64_at(&header, 40);
        let bytes = u64::from(u16_at(&header, 60)) * SECTION_BYTES as u64;
        let what = "the section table";
        let sections = read_part(file_bytes, start, bytes, what, read_at)?;
        Ok(Self {
            layout,
            build_id,
            dynamic: Dynamic::read(&sections),
        })
    }
}

impl Layout {
    /// Parts of the file in memory, from its first byte there, that only the system's loader and unwinders
    /// refer to: the headers, its tables, and where unwind tables begin.
    pub(crate) fn of_loader(&self, dynamic: &Dynamic) -> Vec<Range<u32>> {
        let headers = HEADER_BYTES + self.segments.len() * SEGMENT_BYTES;
        let (first, _) = self.span();
        let starts_the_file =
            |it: &Segment| it.kind == PT_LOAD && it.address == first && it.offset == 0;
        let mut parts = Vec::new();
        if self.segments.iter().any(starts_the_file) {
            parts.push(0..headers as u32);
        }
        let unwinding = self.segments.iter().filter(|it| it.kind == PT_GNU_EH_FRAME);
        let unwinding = unwinding.map(|it| (it.address, it.memory_bytes));
        for (start, bytes) in unwinding.chain(dynamic.parts.iter().copied()) {
            let start = start.saturating_sub(first);
            let end = start.saturating_add(bytes);
            parts.extend(
                u32::try_from(start)
                    .ok()
                    .zip(u32::try_from(end).ok())
                    .map(|(a, b)| a..b),
            );
        }
        parts
    }
}

/// Offset and number of the program headers.
fn check_header(header: &[u8]) -> Result<(u64, u16), ElfError> {
    let foreign = |what| Err(ElfError::Foreign { what });
    if !header.starts_with(b"\x7fELF") {
        return Err(ElfError::NoElf);
    }
    if header[4] != 2 {
        return foreign("not 64-bit");
    }
    if header[5] != 1 {
        return foreign("not little-endian");
    }
    if Some(u16_at(header, 18)) != MACHINE {
        return foreign("another processor");
    }
    let kind = u16_at(header, 16);
    if kind != TYPE_SHARED {
        return Err(ElfError::NotShared { kind });
    }
    let count = u16_at(header, 56);
    if header[6] != 1 || usize::from(u16_at(header, 54)) != SEGMENT_BYTES || count > MAX_SEGMENTS {
        return Err(ElfError::Malformed {
            what: "the ELF header",
        });
    }
    Ok((u64_at(header, 32), count))
}

impl Segment {
    fn parse(bytes: &[u8]) -> Self {
        Self {
            kind: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            offset: u64_at(bytes, 8),
            address: u64_at(bytes, 16),
            file_bytes: u64_at(bytes, 32),
            memory_bytes: u64_at(bytes, 40),
            align: u64_at(bytes, 48),
        }
    }

    fn check(&self, file_bytes: u64) -> Result<(), ElfError> {
        if !matches!(self.kind, PT_LOAD | PT_DYNAMIC | PT_NOTE) {
            return Ok(());
        }
        let what = match self.kind {
            PT_LOAD => "a loaded segment",
            PT_DYNAMIC => "the dynamic section",
            _ => "a note",
        };
        let end = self.offset.checked_add(self.file_bytes);
        if self.file_bytes > 0 && end.is_none_or(|end| end > file_bytes) {
            return Err(ElfError::Truncated { what, file_bytes });
        }
        let in_memory = self.address.checked_add(self.memory_bytes);
        let fits = in_memory.is_some_and(|end| end <= hotswap_protocol::manifest::ADDRESS_LIMIT);
        let aligned = self.align <= 1
            || self.align.is_power_of_two() && (self.address ^ self.offset) & (self.align - 1) == 0;
        if fits && aligned && self.file_bytes <= self.memory_bytes {
            Ok(())
        } else {
            Err(ElfError::Malformed { what })
        }
    }

    /// Whether `bytes` bytes from `address` on lie inside.
    fn covers(&self, address: u64, bytes: u64) -> bool {
        let end = address.checked_add(bytes);
        address >= self.address && end.is_some_and(|end| end <= self.address + self.memory_bytes)
    }

    fn overlaps(&self, address: u64, bytes: u64) -> bool {
        address < self.address.saturating_add(self.memory_bytes)
            && self.address < address.saturating_add(bytes)
    }
}

impl Layout {
    /// The layout of a file that the system has loaded, from its program headers.
    pub(crate) fn of_loaded(segments: Vec<Segment>) -> Self {
        Self { segments }
    }

    /// Loaded segments ascend without overlap, and there is something to bind by.
    fn check(&self) -> Result<(), ElfError> {
        let mut end = 0;
        for segment in self.loaded() {
            if segment.address < end {
                return Err(ElfError::Malformed {
                    what: "the order of loaded segments",
                });
            }
            end = segment.address + segment.memory_bytes;
        }
        let dynamic = self
            .segments
            .iter()
            .find(|segment| segment.kind == PT_DYNAMIC);
        let bound = dynamic.is_some_and(|dynamic| {
            self.loaded()
                .any(|segment| segment.covers(dynamic.address, dynamic.memory_bytes))
        });
        if end > 0 && bound {
            Ok(())
        } else {
            Err(ElfError::Malformed {
                what: "the segment table",
            })
        }
    }

    fn loaded(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| segment.kind == PT_LOAD)
    }

    /// Segments that hold notes.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| segment.kind == PT_NOTE)
    }

    /// Whether `bytes` bytes at `address` are good for `purpose`.
    pub(crate) fn allows(&self, address: u64, bytes: u64, purpose: Use) -> bool {
        let mut read_only_later = self
            .segments
            .iter()
            .filter(|segment| segment.kind == PT_GNU_RELRO);
        self.loaded().any(|segment| {
            let flags = match purpose {
                Use::Code => segment.flags & PF_X != 0,
                Use::State => segment.flags & PF_W != 0,
            };
            flags && segment.covers(address, bytes)
        }) && !read_only_later.any(|relro| relro.overlaps(address, bytes))
    }

    /// The first loaded address, and the bytes of address space from there to the last.
    pub(crate) fn span(&self) -> (u64, u64) {
        let first = self.loaded().map(|segment| segment.address).min();
        let end = self
            .loaded()
            .map(|segment| segment.address + segment.memory_bytes)
            .max();
        let first = first.unwrap_or(0);
        (first, end.unwrap_or(first) - first)
    }

    fn file_build_id(
        &self,
        file_bytes: u64,
        read_at: &mut ReadAt<'_>,
    ) -> Result<Option<BuildId>, ElfError> {
        for segment in self.notes() {
            if segment.file_bytes > MAX_NOTE_BYTES {
                return Err(ElfError::Malformed { what: "a note" });
            }
            let notes = read_part(
                file_bytes,
                segment.offset,
                segment.file_bytes,
                "a note",
                read_at,
            )?;
            if let Some(build_id) = find_build_id(&notes, segment.align) {
                return Ok(Some(build_id));
            }
        }
        Ok(None)
    }
}

/// The build id among notes that are aligned to `align` bytes (4 unless it says 8).
pub(crate) fn find_build_id(notes: &[u8], align: u64) -> Option<BuildId> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let align = if align == 8 { 8 } else { 4 };
    let mut rest = notes;
    while rest.len() >= 12 {
        let name_bytes = u32_at(rest, 0) as usize;
        let content_bytes = u32_at(rest, 4) as usize;
        let kind = u32_at(rest, 8);
        let name_end = 12usize.checked_add(name_bytes)?;
        let content_start = name_end.checked_next_multiple_of(align)?;
        let content_end = content_start.checked_add(content_bytes)?;
        let name = rest.get(12..name_end)?;
        let content = rest.get(content_start..content_end)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return BuildId::from_bytes(content).ok();
        }
        rest = rest.get(content_end.checked_next_multiple_of(align)?..)?;
    }
    None
}

fn read_part(
    file_bytes: u64,
    offset: u64,
    bytes: u64,
    what: &'static str,
    read_at: &mut ReadAt<'_>,
) -> Result<Vec<u8>, ElfError> {
    if offset.checked_add(bytes).is_none_or(|end| end > file_bytes) {
        return Err(ElfError::Truncated { what, file_bytes });
    }
    let mut part = vec![0; bytes as usize];
    read_at(offset, &mut part)?;
    Ok(part)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod sample;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
