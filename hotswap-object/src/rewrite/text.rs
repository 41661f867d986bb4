//! References from code.

use std::collections::HashMap;

use iced_x86::{Code, Instruction};
use object::elf;

use super::plan::{Plan, Resolved};
use super::{Form, NAMELESS, Rewriter};
use crate::elf::patch::Target;
use crate::elf::{Rela, addend_of, offset_of, symbol_of, type_of};
use crate::error::RewriteError;
use crate::state::Role;
use crate::x86_64::sweep::{Found, Sweep, text};
use crate::x86_64::thunk::{Access, Builder, Shape};
use crate::x86_64::unwind::{Added, Unwind};
use crate::x86_64::{is_direct, is_got, is_thread_local};

const NOT_KNOWN: &str = "this kind of reference to state isn't known";
const NOT_FOUND: &str = "no instruction could be found there";

/// Functions by section: start, size and symbol, sorted.
pub(super) type Functions = HashMap<usize, Vec<(u64, u64, usize)>>;

/// The text section that is being rewritten.
pub(super) struct Text<'work, 'data> {
    pub section: usize,
    pub table: usize,
    pub code: &'data [u8],
    pub relocations: &'data [Rela],
    pub sweep: Sweep<'data>,
    pub functions: &'work [(u64, u64, usize)],
    pub builder: &'work mut Builder,
}

impl Text<'_, '_> {
    /// The start of the function that holds an offset; where none does, of the section.
    fn start_of(&self, offset: u64) -> u64 {
        let end = self
            .functions
            .partition_point(|(start, ..)| *start <= offset);
        self.functions[..end].last().map_or(0, |(start, ..)| *start)
    }

    /// The instruction that a relocation's field belongs to.
    pub fn instruction(&mut self, relocation: &Rela) -> Option<Found> {
        let offset = offset_of(relocation);
        let start = self.start_of(offset);
        self.sweep.find(start, offset)
    }

    /// Whether another relocation applies to the instruction.
    pub fn is_shared(&self, index: usize, instruction: &Instruction) -> bool {
        let range = instruction.ip()..instruction.next_ip();
        let applies = |(other, relocation): (usize, &Rela)| {
            other != index
                && type_of(relocation) != elf::R_X86_64_NONE
                && range.contains(&offset_of(relocation))
        };
        self.relocations.iter().enumerate().any(applies)
    }
}

impl<'data> Rewriter<'_, 'data> {
    /// Rewrites all text sections.
    pub(super) fn text(&mut self) -> Result<(), RewriteError> {
        let convert = self.converts_local_dynamic()?;
        let mut functions: Option<Functions> = None;
        let mut builder = Builder::new();
        for section in 0..self.roles.len() {
            if self.roles[section] != Role::Text {
                continue;
            }
            let relocations = self.elf.relocations_of(section)?;
            if !relocations
                .iter()
                .any(|relocation| self.concerns(relocation))
            {
                continue;
            }
            let functions = functions.get_or_insert_with(|| self.functions());
            let code = self.elf.bytes(section)?;
            let mut text = Text {
                section,
                table: self.table_of(section)?,
                code,
                relocations,
                sweep: Sweep::new(code),
                functions: functions
                    .get(&section)
                    .map(Vec::as_slice)
                    .unwrap_or_default(),
                builder: &mut builder,
            };
            for (index, relocation) in relocations.iter().enumerate() {
                if is_thread_local(type_of(relocation)) {
                    self.thread_local(&mut text, index, relocation, convert)?;
                } else if self.concerns(relocation) {
                    self.reference(&mut text, index, relocation)?;
                }
            }
            self.extend_function(&text)?;
        }
        Ok(())
    }

    /// Whether a relocation in code may have to change.
    fn concerns(&self, relocation: &Rela) -> bool {
        let kind = type_of(relocation);
        match self.plans.of(symbol_of(relocation)) {
            _ if is_thread_local(kind) => true,
            Plan::Stay => false,
            Plan::Undefined(_) => kind == elf::R_X86_64_PC32,
            _ => true,
        }
    }

    fn functions(&self) -> Functions {
        let mut functions = Functions::new();
        for (index, symbol) in self.elf.symbols.iter().enumerate() {
            if let Some(section) = symbol.section.filter(|_| symbol.kind == elf::STT_FUNC) {
                functions
                    .entry(section)
                    .or_default()
                    .push((symbol.value, symbol.size, index));
            }
        }
        for list in functions.values_mut() {
            list.sort_unstable();
        }
        functions
    }

    fn reference(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
    ) -> Result<(), RewriteError> {
        let kind = type_of(relocation);
        if is_direct(kind) {
            return self.direct(text, index, relocation);
        }
        // The addend of a reference to an entry of the offset table is about the entry, not the symbol.
        let offset = if is_got(kind) {
            0
        } else {
            addend_of(relocation)
        };
        let Some(resolved) = self.resolve(text.section, relocation, offset) else {
            return Ok(());
        };
        match resolved.plan {
            Plan::Stay | Plan::Undefined(_) => {}
            Plan::Remote(symbol) if is_got(kind) && resolved.offset == 0 => {
                let target = Target {
                    symbol,
                    kind,
                    addend: addend_of(relocation),
                };
                self.patch.retarget(text.table, index, target);
                self.counts.count(Form::Got);
            }
            Plan::Nameless => self.refuse_kind(text.section, relocation, NAMELESS),
            _ => self.refuse_kind(text.section, relocation, NOT_KNOWN),
        }
        Ok(())
    }

    /// A reference relative to the instruction pointer.
    fn direct(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
    ) -> Result<(), RewriteError> {
        let Some(found) = text.instruction(relocation) else {
            self.refuse(text.section, relocation, String::from("(data)"), NOT_FOUND);
            return Ok(());
        };
        let instruction = found.instruction;
        // The processor counts from the instruction's end, the relocation from its own place.
        let behind = instruction.next_ip() - offset_of(relocation);
        let offset = addend_of(relocation).wrapping_add_unsigned(behind);
        let resolved = match self.plans.resolve(symbol_of(relocation), offset) {
            Ok(resolved) => resolved,
            Err(reason) => {
                self.refuse(text.section, relocation, text_of(&instruction), reason);
                return Ok(());
            }
        };
        match resolved.plan {
            Plan::Stay | Plan::OwnThread(_) | Plan::BySection => Ok(()),
            Plan::Nameless => {
                self.refuse(text.section, relocation, text_of(&instruction), NAMELESS);
                Ok(())
            }
            Plan::Undefined(_) if !found.is_displacement => {
                self.branch(text, index, relocation, &instruction);
                Ok(())
            }
            Plan::Remote(target) | Plan::Undefined(target) if found.is_displacement => {
                let resolved = Resolved {
                    plan: Plan::Remote(target),
                    ..resolved
                };
                self.access(text, index, relocation, &instruction, resolved)
            }
            _ => {
                let reason = "the instruction refers to state but not as memory";
                self.refuse(text.section, relocation, text_of(&instruction), reason);
                Ok(())
            }
        }
    }

    /// A branch to another file: the linker makes a stub for it.
    fn branch(
        &mut self,
        text: &Text<'_, '_>,
        index: usize,
        relocation: &Rela,
        instruction: &Instruction,
    ) {
        let near = instruction.is_call_near()
            || instruction.is_jmp_short_or_near()
            || instruction.is_jcc_short_or_near();
        if !near {
            self.refuse(
                text.section,
                relocation,
                text_of(instruction),
                "the operand isn't a branch's",
            );
            return;
        }
        let target = Target {
            symbol: symbol_of(relocation) as u32,
            kind: elf::R_X86_64_PLT32,
            addend: addend_of(relocation),
        };
        self.patch.retarget(text.table, index, target);
        self.counts.count(Form::Branch);
    }

    /// A memory operand on something of elsewhere.
    fn access(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        instruction: &Instruction,
        resolved: Resolved,
    ) -> Result<(), RewriteError> {
        let Plan::Remote(symbol) = resolved.plan else {
            return Ok(());
        };
        if let Some(opcode) = plain_lea(text, instruction, offset_of(relocation), resolved.offset) {
            self.patch.write(text.section, opcode, &[0x8b]);
            let target = Target {
                symbol,
                kind: elf::R_X86_64_REX_GOTPCRELX,
                addend: -4,
            };
            self.patch.retarget(text.table, index, target);
            self.counts.count(Form::LeaInPlace);
            return Ok(());
        }
        let target = Resolved {
            plan: Plan::Remote(symbol),
            offset: resolved.offset,
        };
        self.thunk(
            text,
            index,
            relocation,
            instruction,
            Access::Address,
            target,
        )
    }

    /// Puts an instruction into a thunk.
    pub(super) fn thunk(
        &mut self,
        text: &mut Text<'_, 'data>,
        index: usize,
        relocation: &Rela,
        instruction: &Instruction,
        access: Access,
        resolved: Resolved,
    ) -> Result<(), RewriteError> {
        let (Plan::Remote(symbol) | Plan::OwnThread(symbol)) = resolved.plan else {
            return Ok(());
        };
        if text.is_shared(index, instruction) {
            let reason = "another relocation applies to the same instruction";
            self.refuse(text.section, relocation, text_of(instruction), reason);
            return Ok(());
        }
        let start = self.patch.size(text.section);
        let thunk = match text
            .builder
            .build(instruction, access, resolved.offset, start)
        {
            Ok(thunk) => thunk,
            Err(reason) => {
                self.refuse(text.section, relocation, text_of(instruction), reason);
                return Ok(());
            }
        };
        self.patch.append(text.section, &thunk.code);
        self.patch
            .write(text.section, instruction.ip(), &thunk.site);
        self.patch.neutralise(text.table, index);
        let target = Target {
            symbol,
            kind: thunk.relocation,
            addend: -4,
        };
        self.patch.relocate(text.table, start + thunk.field, target);
        let added = Added {
            section: text.section,
            site: instruction.ip(),
            start,
            size: thunk.code.len() as u64,
            frames: (thunk.shape != Shape::Call).then_some(thunk.frames.as_slice()),
        };
        self.describe(added)?;
        self.counts.count(match (access, thunk.shape) {
            (Access::ThreadOffset, _) => Form::ThreadOffset,
            (_, Shape::Destination) => Form::DestinationThunk,
            (_, Shape::Spill) => Form::SpillThunk,
            (_, Shape::Call) => Form::CallThunk,
            (_, Shape::Jump) => Form::JumpThunk,
            (_, Shape::Push) => Form::PushThunk,
        });
        Ok(())
    }

    fn describe(&mut self, added: Added<'_>) -> Result<(), RewriteError> {
        let unwind = match self.unwind.take() {
            Some(unwind) => unwind,
            None => Unwind::parse(self.elf)?,
        };
        if let Some(unwind) = &unwind
            && let Err(reason) = unwind.add(&mut self.patch, added)
        {
            self.refused.push(RewriteError::Unwind {
                section: self.elf.sections[added.section].name.to_owned(),
                offset: added.site,
                reason,
            });
        }
        self.unwind = Some(unwind);
        Ok(())
    }

    /// Thunks belong to the function before them: its symbol covers them.
    fn extend_function(&mut self, text: &Text<'_, '_>) -> Result<(), RewriteError> {
        let size = self.patch.size(text.section);
        if size == self.elf.sections[text.section].size {
            return Ok(());
        }
        if let Some(&(start, ..)) = text.functions.last() {
            let alone = text.functions.iter().all(|(other, ..)| *other == start);
            for &(_, _, symbol) in text.functions.iter().filter(|_| alone) {
                self.patch
                    .resize_symbol(symbol, size.saturating_sub(start))?;
            }
        }
        Ok(())
    }
}

pub(super) fn text_of(instruction: &Instruction) -> String {
    text(instruction)
}

/// Offset of the opcode of a `lea` that can become a load where it stands.
fn plain_lea(
    text: &Text<'_, '_>,
    instruction: &Instruction,
    field: u64,
    offset: i64,
) -> Option<u64> {
    let bytes = text.sweep.bytes(instruction);
    let opcode = field.checked_sub(2)?;
    let plain = instruction.code() == Code::Lea_r64_m
        && offset == 0
        && instruction.len() == 7
        && opcode == instruction.ip() + 1
        && matches!(bytes.first(), Some(0x48 | 0x4c))
        && bytes.get(1) == Some(&0x8d);
    plain.then_some(opcode)
}
