//! Makes a host's state visible to its patches.

use std::collections::HashSet;

use object::elf;

use crate::constants::is_constant;
use crate::elf::patch::{NewSymbol, Patch};
use crate::elf::{Elf, Symbol};
use crate::error::ObjectError;
use crate::names::{is_item, is_mangled, is_shim};
use crate::state::{Role, roles};

/// Makes the statics and thread-locals of a host's object global and of default visibility, and so what
/// rustc hides and patches need; returns `None` if nothing has to change.
///
/// References are changed too: the linker takes the strictest visibility that it sees. Names stay
/// as they are, since a mangled name is unique. Local symbols get a global twin at the end of the
/// table, so no index changes.
///
/// # Errors
///
/// If the file is bitcode, not an x86_64 ELF object, or malformed.
pub fn expose(object: &[u8]) -> Result<Option<Vec<u8>>, ObjectError> {
    let elf = Elf::object(object)?;
    let roles = roles(&elf);
    let mut patch = Patch::new(&elf);
    let globals: HashSet<&str> = elf
        .symbols
        .iter()
        .filter(|symbol| !symbol.is_local())
        .map(|symbol| symbol.name)
        .collect();
    let mut seen = HashSet::new();
    for (index, symbol) in elf.symbols.iter().enumerate().skip(1) {
        if symbol.is_local() {
            let unique = !globals.contains(symbol.name) && is_mangled(symbol.name);
            if unique && is_static(&elf, &roles, symbol) && seen.insert(symbol.name) {
                add_twin(&mut patch, index, symbol)?;
            }
        } else if symbol.visibility != elf::STV_DEFAULT && is_needed(&elf, &roles, symbol) {
            patch.make_default(index)?;
        }
    }
    patch.finish()
}

fn is_static(elf: &Elf<'_>, roles: &[Role], symbol: &Symbol<'_>) -> bool {
    is_constant(elf, symbol) || is_state(roles, symbol)
}

fn is_state(roles: &[Role], symbol: &Symbol<'_>) -> bool {
    let state = symbol
        .section
        .is_some_and(|section| matches!(roles[section], Role::State | Role::ThreadState));
    state
        && is_item(symbol.name)
        && matches!(
            symbol.kind,
            elf::STT_OBJECT | elf::STT_TLS | elf::STT_NOTYPE
        )
}

/// Whether a hidden symbol has to be seen: a static, the allocator shim, or a mere reference, which
/// would hide a definition elsewhere.
fn is_needed(elf: &Elf<'_>, roles: &[Role], symbol: &Symbol<'_>) -> bool {
    !symbol.defined || is_static(elf, roles, symbol) || is_shim(symbol.name)
}

fn add_twin(
    patch: &mut Patch<'_, '_>,
    index: usize,
    symbol: &Symbol<'_>,
) -> Result<(), ObjectError> {
    let name = patch.name_of(index)?;
    patch.add_symbol(NewSymbol {
        name,
        binding: elf::STB_GLOBAL,
        kind: symbol.kind,
        section: symbol.section,
        value: symbol.value,
        size: symbol.size,
    })?;
    Ok(())
}
