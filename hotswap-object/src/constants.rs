//! Read-only statics: code keeps their addresses, so there is each only once in a version.

use object::elf;

use crate::elf::{Elf, Symbol};
use crate::names::{is_derived, is_item, is_mangled};
use crate::state::is_named;

/// Sections of what is never written, or only to put addresses in when it is loaded.
const PLACES: [&str; 2] = [".rodata", ".data.rel.ro"];

/// Whether a symbol names a static that is never written. What the compiler makes for itself has no name
/// of this kind; and where it found that nobody asks for an address, the static may be split up, or stand
/// among elements that linkers merge.
pub fn is_constant(elf: &Elf<'_>, symbol: &Symbol<'_>) -> bool {
    let place = |section: usize| {
        let section = &elf.sections[section];
        let merged = section.flags & u64::from(elf::SHF_MERGE) != 0;
        !merged && PLACES.iter().any(|place| is_named(section.name, place))
    };
    symbol.kind == elf::STT_OBJECT
        && symbol.section.is_some_and(place)
        && is_mangled(symbol.name)
        && is_item(symbol.name)
        && !is_derived(symbol.name)
}
