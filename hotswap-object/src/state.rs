//! Which sections hold state, and which hold what belongs to one version of the code.

use object::elf;

use crate::elf::{Elf, Section};

/// Section that holds the descriptors of entries: each version has its own.
pub const ENTRY_SECTION: &str = "hotswap_entries";

/// Section that holds what types say of themselves for migrations: each version has its own.
pub const SCHEMA_SECTION: &str = "hotswap_schemas";

/// Section that holds what becomes of statics whose initialisers are edited: each version has its own.
pub const STATIC_SECTION: &str = "hotswap_statics";

/// Section that holds the functions that run at swaps: each version has its own.
pub const HOOK_SECTION: &str = "hotswap_hooks";

/// What a section means to a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Machine code.
    Text,
    /// Writable memory that keeps its address and value across versions.
    State,
    /// Thread-local memory that does.
    ThreadState,
    /// Pointers to functions that run at start or exit.
    Initialisers,
    /// Memory that belongs to one version: constants, descriptors, registrations.
    Version,
    /// Not loaded: debug information, notes.
    Unloaded,
}

/// Sections that are writable for the dynamic linker's sake only, or that each version fills anew.
const PER_VERSION: &[&str] = &[
    ".data.rel.ro",
    ".data.rel.local",
    ".got",
    ".tm_clone_table",
    ".eh_frame",
];

/// Prefix of the sections of distributed slices.
pub(crate) const SLICE_SECTION: &str = "linkme_";

/// Prefixes of sections that are collected between `__start_` and `__stop_` symbols.
const COLLECTED: &[&str] = &[
    ENTRY_SECTION,
    SCHEMA_SECTION,
    STATIC_SECTION,
    HOOK_SECTION,
    SLICE_SECTION,
    "linkm2_",
];

/// Prefixes of sections whose elements run at start or exit.
const INITIALISERS: &[&str] = &[
    ".init_array",
    ".fini_array",
    ".preinit_array",
    ".ctors",
    ".dtors",
];

/// Whether a section's name is this one, or begins with it and a dot.
pub fn is_named(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The role of `section`.
pub fn role(section: &Section<'_>) -> Role {
    let flags = section.flags;
    if flags & u64::from(elf::SHF_ALLOC) == 0 {
        return Role::Unloaded;
    }
    if flags & u64::from(elf::SHF_EXECINSTR) != 0 {
        return Role::Text;
    }
    let name = section.name;
    if INITIALISERS.iter().any(|prefix| is_named(name, prefix)) {
        return Role::Initialisers;
    }
    if flags & u64::from(elf::SHF_TLS) != 0 {
        return Role::ThreadState;
    }
    let per_version = flags & u64::from(elf::SHF_WRITE) == 0
        || PER_VERSION.iter().any(|prefix| is_named(name, prefix))
        || COLLECTED.iter().any(|prefix| name.starts_with(prefix))
        || name.contains("DW.ref.");
    if per_version {
        Role::Version
    } else {
        Role::State
    }
}

/// The roles of all sections of `elf`, by index.
pub fn roles(elf: &Elf<'_>) -> Vec<Role> {
    elf.sections.iter().map(role).collect()
}
