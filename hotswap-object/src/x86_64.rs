//! Everything that knows x86_64: instructions, thread-local access sequences, thunks, unwind rows.

pub mod sweep;
pub mod thread_local;
pub mod thunk;
pub mod unwind;

use object::elf;

/// Whether a relocation is relative to the instruction and refers to a symbol directly.
pub fn is_direct(kind: u32) -> bool {
    matches!(kind, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32)
}

/// Whether a relocation refers to a symbol's entry in the global offset table.
pub fn is_got(kind: u32) -> bool {
    matches!(
        kind,
        elf::R_X86_64_GOTPCREL
            | elf::R_X86_64_GOTPCRELX
            | elf::R_X86_64_REX_GOTPCRELX
            | elf::R_X86_64_GOTPCREL64
    )
}

/// Whether a relocation belongs to an access to a thread-local.
pub fn is_thread_local(kind: u32) -> bool {
    matches!(
        kind,
        elf::R_X86_64_TLSGD
            | elf::R_X86_64_TLSLD
            | elf::R_X86_64_DTPOFF32
            | elf::R_X86_64_GOTTPOFF
            | elf::R_X86_64_TPOFF32
            | elf::R_X86_64_TPOFF64
            | elf::R_X86_64_DTPOFF64
            | elf::R_X86_64_DTPMOD64
            | elf::R_X86_64_GOTPC32_TLSDESC
            | elf::R_X86_64_TLSDESC_CALL
            | elf::R_X86_64_TLSDESC
    )
}
