//! What a linked host offers to its patches.

use std::collections::{BTreeMap, HashMap};

use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, elf::FileHeader64};

use crate::elf::Elf;
use crate::error::ObjectError;
use crate::facts::slices;

/// What a host's executable defines.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HostFacts {
    /// The build id that the linker wrote.
    pub build_id: Option<Vec<u8>>,
    /// Symbols that the executable defines, thread-locals left out.
    pub symbols: HashMap<String, HostSymbol>,
    /// Thread-locals with their distance from the thread pointer.
    pub thread_locals: HashMap<String, i64>,
    /// Its distributed slices (`linkme`), by the name of their section, with their bytes.
    pub slices: BTreeMap<String, u64>,
}

/// A symbol of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostSymbol {
    /// Virtual address in the file.
    pub address: u64,
    /// Size in bytes.
    pub size: u64,
    /// Whether images can refer to it by name.
    pub exported: bool,
}

/// Reads what an executable defines.
///
/// # Errors
///
/// If the file isn't an x86_64 executable, or malformed.
pub fn read_host(executable: &[u8]) -> Result<HostFacts, ObjectError> {
    let types = [elf::ET_EXEC, elf::ET_DYN];
    let all = Elf::parse(executable, &types, elf::SHT_SYMTAB)?;
    let dynamic = Elf::parse(executable, &types, elf::SHT_DYNSYM)?;
    let mut host = HostFacts {
        build_id: build_id(&all)?,
        slices: slices(&all),
        ..HostFacts::default()
    };
    let thread = thread_segment(executable)?;
    for (file, exported) in [(&all, false), (&dynamic, true)] {
        for symbol in file.symbols.iter().skip(1) {
            let named = symbol.section.is_some() && !symbol.name.is_empty() && !symbol.is_section();
            if !named {
                continue;
            }
            let name = symbol.name.to_owned();
            if symbol.kind == elf::STT_TLS {
                if let Some(end) = thread {
                    host.thread_locals
                        .insert(name, symbol.value.wrapping_sub(end).cast_signed());
                }
            } else {
                let found = HostSymbol {
                    address: symbol.value,
                    size: symbol.size,
                    exported,
                };
                let known = host.symbols.entry(name).or_insert(found);
                known.exported |= exported;
            }
        }
    }
    Ok(host)
}

/// Distance from the start of the thread-local segment to the thread pointer.
fn thread_segment(executable: &[u8]) -> Result<Option<u64>, ObjectError> {
    let header = FileHeader64::<LittleEndian>::parse(executable)?;
    for segment in header.program_headers(LittleEndian, executable)? {
        if segment.p_type(LittleEndian) == elf::PT_TLS {
            let size = segment.p_memsz(LittleEndian);
            let align = segment.p_align(LittleEndian).max(1);
            let start = segment.p_vaddr(LittleEndian);
            // The loader keeps the segment's address congruent to its alignment.
            let padding = start.wrapping_add(size).wrapping_neg() & (align - 1);
            return Ok(Some(size.wrapping_add(padding)));
        }
    }
    Ok(None)
}

fn build_id(elf: &Elf<'_>) -> Result<Option<Vec<u8>>, ObjectError> {
    let Some(index) = elf
        .sections
        .iter()
        .position(|section| section.name == ".note.gnu.build-id")
    else {
        return Ok(None);
    };
    let note = elf.bytes(index)?;
    let word = |at: usize| {
        note.get(at..at + 4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize)
    };
    let (Some(name), Some(size)) = (word(0), word(4)) else {
        return Ok(None);
    };
    let start = 12 + name.next_multiple_of(4);
    Ok(note.get(start..start + size).map(<[u8]>::to_vec))
}
