//! Takes initialisers out that ran in the host already.

use std::collections::HashMap;

use object::elf;

use super::Rewriter;
use crate::bindings::Bindings;
use crate::elf::patch::Target;
use crate::elf::{addend_of, offset_of, symbol_of, type_of};
use crate::error::RewriteError;
use crate::state::Role;

/// Size of a pointer, which is what each element is.
const ELEMENT: u64 = 8;

impl Rewriter<'_, '_> {
    /// Drops the elements that `bindings` names, closing the gaps.
    pub(super) fn initialisers(&mut self, bindings: &Bindings) -> Result<(), RewriteError> {
        if bindings.dropped_initialisers.is_empty() {
            return Ok(());
        }
        for section in 0..self.roles.len() {
            if self.roles[section] == Role::Initialisers
                && self.elf.sections[section].kind != elf::SHT_NOBITS
            {
                self.drop_elements(section, bindings)?;
            }
        }
        Ok(())
    }

    fn drop_elements(&mut self, section: usize, bindings: &Bindings) -> Result<(), RewriteError> {
        let dropped: HashMap<u64, u64> = self
            .elf
            .symbols
            .iter()
            .filter(|symbol| symbol.section == Some(section))
            .filter(|symbol| bindings.dropped_initialisers.contains(symbol.name))
            .map(|symbol| (symbol.value, symbol.size.max(ELEMENT)))
            .collect();
        if dropped.is_empty() {
            return Ok(());
        }
        let is_dropped = |at: u64| {
            dropped
                .iter()
                .any(|(start, size)| at.checked_sub(*start).is_some_and(|at| at < *size))
        };
        let bytes = self.elf.bytes(section)?;
        let table = self.table_of(section)?;
        let mut moved = HashMap::new();
        let mut kept = 0;
        for at in (0..bytes.len() as u64).step_by(ELEMENT as usize) {
            if !is_dropped(at) {
                let end = (at + ELEMENT).min(bytes.len() as u64);
                self.patch
                    .write(section, kept, &bytes[at as usize..end as usize]);
                moved.insert(at, kept);
                kept += ELEMENT;
            }
        }
        for (index, relocation) in self.elf.relocations_of(section)?.iter().enumerate() {
            match moved.get(&offset_of(relocation)) {
                Some(&to) => {
                    let target = Target {
                        symbol: symbol_of(relocation) as u32,
                        kind: type_of(relocation),
                        addend: addend_of(relocation),
                    };
                    self.patch.replace_relocation(table, index, to, target);
                }
                None => {
                    self.patch.replace_relocation(
                        table,
                        index,
                        0,
                        Target {
                            symbol: 0,
                            kind: elf::R_X86_64_NONE,
                            addend: 0,
                        },
                    );
                }
            }
        }
        self.patch.truncate(section, kept);
        Ok(())
    }
}
