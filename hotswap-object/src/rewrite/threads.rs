//! References from code to thread-locals.

use object::elf;

use super::plan::{Plan, Resolved};
use super::text::{Text, text_of};
use super::{Form, NAMELESS, Rewriter};
use crate::elf::patch::Target;
use crate::elf::{Rela, addend_of, offset_of, symbol_of, type_of};
use crate::error::{ObjectError, RewriteError};
use crate::state::Role;
use crate::x86_64::thread_local::{
    Replacement, general_dynamic, immediate_to_got, initial_exec, local_dynamic,
};
use crate::x86_64::thunk::Access;

const NOT_KNOWN: &str = "this access to a thread-local isn't known";

impl<'data> Rewriter<'_, 'data> {
    /// Whether the base that local-dynamic sequences yield must become the thread pointer: if any
    /// thread-local that the object reaches from that base lives elsewhere.
    pub(super) fn converts_local_dynamic(&self) -> Result<bool, ObjectError> {
        for section in 0..self.roles.len() {
            if self.roles[section] != Role::Text {
                continue;
            }
            for relocation in self.elf.relocations_of(section)? {
                if type_of(relocation) != elf::R_X86_64_DTPOFF32 {
                    continue;
                }
                let resolved = self
                    .plans
                    .resolve(symbol_of(relocation), addend_of(relocation));
                let own = resolved
                    .is_ok_and(|resolved| matches!(resolved.plan, Plan::Stay | Plan::OwnThread(_)));
                if !own {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Rewrites one access. `convert` says whether local-dynamic bases become the thread pointer.
    pub(super) fn thread_local(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        convert: bool,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        if kind == elf::R_X86_64_TLSLD {
            if convert {
                let replacement = local_dynamic(text.code, offset_of(relocation));
                self.replace_sequence(text, index, relocation, replacement, Form::LocalDynamic);
            } else {
                self.counts.count(Form::OwnThreadLocal);
            }
            return Ok(());
        }
        // General-dynamic and initial-exec relocations have the field's own 4 bytes in the addend.
        let behind = match kind {
            elf::R_X86_64_TLSGD | elf::R_X86_64_GOTTPOFF => 4,
            _ => 0,
        };
        let offset = addend_of(relocation).wrapping_add(behind);
        let Some(resolved) = self.resolve(text.section, relocation, offset) else {
            return Ok(());
        };
        match resolved.plan {
            Plan::Stay | Plan::BySection => {
                self.stay(text, index, relocation, resolved.offset, convert)
            }
            Plan::Nameless => {
                self.refuse_kind(text.section, relocation, NAMELESS);
                Ok(())
            }
            Plan::Thread(distance) => {
                self.constant(
                    text,
                    index,
                    relocation,
                    distance.wrapping_add(resolved.offset),
                );
                Ok(())
            }
            Plan::OwnThread(symbol) | Plan::Remote(symbol) | Plan::Undefined(symbol) => {
                let own = matches!(resolved.plan, Plan::OwnThread(_));
                let resolved = Resolved {
                    plan: Plan::OwnThread(symbol),
                    offset: resolved.offset,
                };
                self.dynamic(text, index, relocation, resolved, own && !convert)
            }
        }
    }

    /// An access to a thread-local that the image itself defines, perhaps in another object.
    fn stay(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        offset: i64,
        convert: bool,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        let symbol = symbol_of(relocation);
        if kind == elf::R_X86_64_DTPOFF32 && !convert {
            return Ok(());
        }
        if self.elf.symbol(symbol)?.is_section() {
            self.refuse_kind(text.section, relocation, "the thread-local has no name");
            return Ok(());
        }
        let resolved = Resolved {
            plan: Plan::OwnThread(symbol as u32),
            offset,
        };
        self.dynamic(text, index, relocation, resolved, false)
    }

    /// An access to a thread-local of the host, whose distance from the thread pointer is known.
    fn constant(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        distance: i64,
    ) {
        let kind = type_of(relocation);
        let offset = offset_of(relocation);
        let Ok(distance) = i32::try_from(distance) else {
            self.refuse(
                text.section,
                relocation,
                String::new(),
                "the distance exceeds 32 bits",
            );
            return;
        };
        match kind {
            elf::R_X86_64_TLSGD => {
                let replacement = general_dynamic(text.code, offset, distance);
                self.replace_sequence(text, index, relocation, replacement, Form::GeneralDynamic);
            }
            elf::R_X86_64_DTPOFF32 | elf::R_X86_64_TPOFF32 => {
                self.patch
                    .write(text.section, offset, &distance.to_le_bytes());
                self.patch.neutralise(text.table, index);
                let local_exec = kind == elf::R_X86_64_TPOFF32;
                self.counts.count(if local_exec {
                    Form::LocalExec
                } else {
                    Form::ModuleOffset
                });
            }
            elf::R_X86_64_GOTTPOFF => self.initial_exec(text, index, relocation, distance),
            _ => self.refuse_kind(text.section, relocation, NOT_KNOWN),
        }
    }

    fn initial_exec(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        distance: i32,
    ) {
        let Some(found) = text.instruction(relocation) else {
            self.refuse(text.section, relocation, String::from("(data)"), NOT_KNOWN);
            return;
        };
        let instruction = found.instruction;
        match initial_exec(&instruction, distance) {
            Some(bytes) if found.is_displacement && bytes.len() == instruction.len() => {
                self.patch.write(text.section, instruction.ip(), &bytes);
                self.patch.neutralise(text.table, index);
                self.counts.count(Form::InitialExec);
            }
            _ => self.refuse(text.section, relocation, text_of(&instruction), NOT_KNOWN),
        }
    }

    /// An access to a thread-local whose distance only the loader knows: the image's own, or that
    /// of an image loaded earlier. `keep` says that module offsets may stay what they are.
    fn dynamic(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        resolved: Resolved,
        keep: bool,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        let Plan::OwnThread(symbol) = resolved.plan else {
            return Ok(());
        };
        match kind {
            elf::R_X86_64_TLSGD | elf::R_X86_64_GOTTPOFF if resolved.offset == 0 => {
                if symbol as usize != symbol_of(relocation) {
                    let target = Target {
                        symbol,
                        kind,
                        addend: addend_of(relocation),
                    };
                    self.patch.retarget(text.table, index, target);
                }
                self.counts.count(Form::OwnThreadLocal);
                Ok(())
            }
            elf::R_X86_64_DTPOFF32 if keep => {
                self.counts.count(Form::OwnThreadLocal);
                Ok(())
            }
            elf::R_X86_64_DTPOFF32 | elf::R_X86_64_TPOFF32 => {
                self.through_got(text, index, relocation, resolved)
            }
            _ => {
                self.refuse_kind(text.section, relocation, NOT_KNOWN);
                Ok(())
            }
        }
    }

    /// A constant distance becomes one that is read from the global offset table.
    fn through_got(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        resolved: Resolved,
    ) -> Result<(), RewriteError> {
        let Plan::OwnThread(symbol) = resolved.plan else {
            return Ok(());
        };
        let Some(found) = text.instruction(relocation) else {
            self.refuse(text.section, relocation, String::from("(data)"), NOT_KNOWN);
            return Ok(());
        };
        let instruction = found.instruction;
        if found.is_displacement {
            return self.thunk(
                text,
                index,
                relocation,
                &instruction,
                Access::ThreadOffset,
                resolved,
            );
        }
        match immediate_to_got(&instruction) {
            Some((bytes, field)) if resolved.offset == 0 => {
                self.patch.write(text.section, instruction.ip(), &bytes);
                let target = Target {
                    symbol,
                    kind: elf::R_X86_64_GOTTPOFF,
                    addend: -4,
                };
                self.patch
                    .replace_relocation(text.table, index, instruction.ip() + field, target);
                self.counts.count(Form::ThreadOffset);
            }
            _ => self.refuse(text.section, relocation, text_of(&instruction), NOT_KNOWN),
        }
        Ok(())
    }

    /// Replaces a sequence that calls `__tls_get_addr`.
    fn replace_sequence(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        replacement: Option<Replacement>,
        form: Form,
    ) {
        let call = replacement.as_ref().and_then(|replacement| {
            let calls = |other: &Rela| {
                offset_of(other) == replacement.call
                    && self.elf.symbol_name(symbol_of(other)) == "__tls_get_addr"
            };
            text.relocations.iter().position(calls)
        });
        let (Some(replacement), Some(call)) = (replacement, call) else {
            self.refuse(
                text.section,
                relocation,
                String::from("call __tls_get_addr"),
                NOT_KNOWN,
            );
            return;
        };
        self.patch
            .write(text.section, replacement.start, &replacement.bytes);
        self.patch.neutralise(text.table, index);
        self.patch.neutralise(text.table, call);
        self.counts.count(form);
    }
}
