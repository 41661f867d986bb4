//! References from data and debug information.

use object::elf;

use super::plan::Plan;
use super::{Form, NAMELESS, Rewriter};
use crate::elf::patch::Target;
use crate::elf::{Rela, addend_of, symbol_of, type_of};
use crate::error::RewriteError;
use crate::state::Role;
use crate::x86_64::{is_direct, is_thread_local};

/// Debug sections that hold addresses of statics.
const WITH_STATICS: &[&str] = &[
    ".debug_info",
    ".debug_addr",
    ".debug_loc",
    ".debug_loclists",
];

impl Rewriter<'_, '_> {
    /// Rewrites all sections that hold no code.
    pub(super) fn data(&mut self) -> Result<(), RewriteError> {
        for section in 0..self.roles.len() {
            let unloaded = match self.roles[section] {
                Role::Text => continue,
                Role::Unloaded if !WITH_STATICS.contains(&self.elf.sections[section].name) => {
                    continue;
                }
                role => role == Role::Unloaded,
            };
            if self.elf.relocations[section].is_none()
                || self.plans.vacated.binary_search(&section).is_ok()
            {
                continue;
            }
            let relocations = self.elf.relocations_of(section)?;
            for (index, relocation) in relocations.iter().enumerate() {
                if self.plans.stays(symbol_of(relocation)) {
                    continue;
                }
                if unloaded {
                    self.debug(section, index, relocation)?;
                } else {
                    self.pointer(section, index, relocation)?;
                }
            }
        }
        Ok(())
    }

    fn pointer(
        &mut self,
        section: usize,
        index: usize,
        relocation: &Rela,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        let own = self.plans.of(symbol_of(relocation));
        if matches!(own, Plan::Undefined(_)) {
            return Ok(());
        }
        let Some(resolved) = self.resolve(section, relocation, addend_of(relocation)) else {
            return Ok(());
        };
        match resolved.plan {
            Plan::Stay | Plan::Undefined(_) | Plan::BySection | Plan::OwnThread(_) => {}
            Plan::Nameless if self.roles[section] == Role::State => {}
            Plan::Nameless => {
                self.refuse_kind(section, relocation, NAMELESS);
            }
            Plan::Remote(symbol) if kind == elf::R_X86_64_64 => {
                let table = self.table_of(section)?;
                self.patch.retarget(
                    table,
                    index,
                    Target {
                        symbol,
                        kind,
                        addend: resolved.offset,
                    },
                );
                self.counts.count(Form::Pointer);
            }
            Plan::Remote(_) if is_direct(kind) => {
                let reason = "data refers to state relative to its own place";
                self.refuse_kind(section, relocation, reason);
            }
            Plan::Remote(_) | Plan::Thread(_) => {
                let reason = "this kind of pointer to state isn't known";
                self.refuse_kind(section, relocation, reason);
            }
        }
        Ok(())
    }

    fn debug(
        &mut self,
        section: usize,
        index: usize,
        relocation: &Rela,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        let Ok(resolved) = self
            .plans
            .resolve(symbol_of(relocation), addend_of(relocation))
        else {
            return Ok(());
        };
        let table = self.table_of(section)?;
        match resolved.plan {
            Plan::Remote(symbol) if !is_thread_local(kind) => {
                self.patch.retarget(
                    table,
                    index,
                    Target {
                        symbol,
                        kind,
                        addend: resolved.offset,
                    },
                );
            }
            Plan::Remote(_) | Plan::Thread(_) => self.patch.neutralise(table, index),
            _ => return Ok(()),
        }
        self.counts.count(Form::Debug);
        Ok(())
    }
}
