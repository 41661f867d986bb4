//! Unwind information for thunks, by replaying that of the function they belong to.

mod program;

use std::collections::HashMap;

use crate::elf::patch::{Patch, Target};
use crate::elf::{Elf, addend_of, offset_of, symbol_of, type_of};
use crate::error::ObjectError;

use self::program::{Cursor, Frame, replay, write_unsigned};

/// DW_CFA opcodes that thunks' own rows use.
const ADVANCE_1: u8 = 0x02;
const ADVANCE_2: u8 = 0x03;
const DEFINE_OFFSET: u8 = 0x0e;
const NOP: u8 = 0x00;
/// Application of a pointer encoding that says the pointer is absent.
const OMITTED: u8 = 0xff;

/// What a CIE says about its FDEs.
#[derive(Debug, Clone)]
struct Common<'data> {
    augmented: bool,
    pointer: usize,
    /// Size of the pointer to the language's own data; 0 if there is none.
    language: usize,
    code_align: u64,
    instructions: &'data [u8],
}

/// An FDE, and the relocation that says which function it is for.
#[derive(Debug, Clone)]
struct Description<'data> {
    common: usize,
    section: usize,
    start: u64,
    size: u64,
    target: Target,
    instructions: &'data [u8],
}

/// The parsed unwind information of an object.
#[derive(Debug)]
pub struct Unwind<'data> {
    section: usize,
    table: usize,
    terminated: bool,
    commons: HashMap<usize, Common<'data>>,
    descriptions: Vec<Description<'data>>,
}

/// One thunk, for which a description is to be added.
#[derive(Debug, Clone, Copy)]
pub struct Added<'thunk> {
    /// Text section of the function and the thunk.
    pub section: usize,
    /// Offset of the instruction the thunk stands for.
    pub site: u64,
    /// Offset and size of the thunk.
    pub start: u64,
    pub size: u64,
    /// Stack depth from each offset in the thunk on; `None` if the thunk is called.
    pub frames: Option<&'thunk [(u64, i64)]>,
}

impl<'data> Unwind<'data> {
    /// Parses the object's `.eh_frame`; `None` if it has none.
    pub fn parse(elf: &Elf<'data>) -> Result<Option<Self>, ObjectError> {
        let Some(section) = elf
            .sections
            .iter()
            .position(|section| section.name == ".eh_frame")
        else {
            return Ok(None);
        };
        let Some(table) = elf.relocations[section] else {
            return Ok(None);
        };
        let mut unwind = Self {
            section,
            table,
            terminated: false,
            commons: HashMap::new(),
            descriptions: Vec::new(),
        };
        let mut targets = HashMap::new();
        for relocation in elf.relocation_table(table)? {
            targets.insert(offset_of(relocation), relocation);
        }
        let bytes = elf.bytes(section)?;
        let mut at = 0;
        while at + 4 <= bytes.len() {
            let length =
                u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
                    as usize;
            if length == 0 {
                unwind.terminated = true;
                break;
            }
            let record = bytes
                .get(at + 4..at + 4 + length)
                .filter(|record| record.len() >= 4)
                .ok_or_else(|| ObjectError::malformed("unwind record exceeds .eh_frame"))?;
            let id = u32::from_le_bytes([record[0], record[1], record[2], record[3]]) as usize;
            if id == 0 {
                let common = parse_common(&record[4..])
                    .ok_or_else(|| ObjectError::malformed("unreadable unwind record"))?;
                unwind.commons.insert(at, common);
            } else if let Some(relocation) = targets.get(&(at as u64 + 8)) {
                let common = (at + 4)
                    .checked_sub(id)
                    .ok_or_else(|| ObjectError::malformed("unwind record without a common part"))?;
                let target = Target {
                    symbol: symbol_of(relocation) as u32,
                    kind: type_of(relocation),
                    addend: addend_of(relocation),
                };
                unwind.describe(elf, common, target, &record[4..])?;
            }
            at += 4 + length;
        }
        unwind
            .descriptions
            .sort_by_key(|description| (description.section, description.start));
        Ok(Some(unwind))
    }

    fn describe(
        &mut self,
        elf: &Elf<'data>,
        common: usize,
        target: Target,
        record: &'data [u8],
    ) -> Result<(), ObjectError> {
        let malformed = || ObjectError::malformed("unreadable unwind record");
        let header = self.commons.get(&common).ok_or_else(malformed)?;
        let symbol = elf.symbol(target.symbol as usize)?;
        let Some(section) = symbol.section else {
            return Ok(());
        };
        let mut cursor = Cursor::new(record);
        cursor.skip(header.pointer).ok_or_else(malformed)?;
        let size = cursor.fixed(header.pointer).ok_or_else(malformed)?;
        if header.augmented {
            let length = cursor.unsigned().ok_or_else(malformed)?;
            cursor.skip(length as usize).ok_or_else(malformed)?;
        }
        self.descriptions.push(Description {
            common,
            section,
            start: symbol.value.wrapping_add_signed(target.addend),
            size,
            target,
            instructions: cursor.rest(),
        });
        Ok(())
    }

    /// Appends a description of a thunk. Nothing to do if its function has none.
    pub fn add(&self, patch: &mut Patch<'_, 'data>, thunk: Added<'_>) -> Result<(), &'static str> {
        let Some(function) = self.find(thunk.section, thunk.site) else {
            return Ok(());
        };
        if self.terminated {
            return Err("the unwind information ends with a terminator");
        }
        let common = &self.commons[&function.common];
        let mut program = Vec::new();
        if let Some(frames) = thunk.frames {
            let frame = replay(
                common.instructions,
                function.instructions,
                common.code_align,
                thunk.site - function.start,
                &mut program,
            )?;
            write_rows(&mut program, frame, frames, common.code_align)?;
        }
        let start = patch.size(self.section);
        let record = encode(common, function.common as u64, start, thunk.size, &program)?;
        patch.append(self.section, &record);
        let moved = thunk.start.wrapping_sub(function.start).cast_signed();
        let target = Target {
            addend: function.target.addend.wrapping_add(moved),
            ..function.target
        };
        patch.relocate(self.table, start + 8, target);
        Ok(())
    }

    fn find(&self, section: usize, site: u64) -> Option<&Description<'data>> {
        let end = self.descriptions.partition_point(|description| {
            (description.section, description.start) <= (section, site)
        });
        let description = self.descriptions[..end].last()?;
        let inside = description.section == section && site - description.start < description.size;
        inside.then_some(description)
    }
}

/// The rows in which the thunk itself moves the stack pointer.
fn write_rows(
    program: &mut Vec<u8>,
    frame: Frame,
    frames: &[(u64, i64)],
    code_align: u64,
) -> Result<(), &'static str> {
    let Frame::StackPointer(offset) = frame else {
        return Ok(());
    };
    if code_align != 1 {
        return Err("the unwind information counts code in units");
    }
    let mut at = 0;
    for &(position, below) in frames {
        let advance = position - at;
        match u8::try_from(advance) {
            Ok(advance) => program.extend_from_slice(&[ADVANCE_1, advance]),
            Err(_) => {
                program.push(ADVANCE_2);
                program.extend_from_slice(&(advance as u16).to_le_bytes());
            }
        }
        program.push(DEFINE_OFFSET);
        let depth = offset
            .checked_add_signed(below)
            .ok_or("the stack frame has no sensible size")?;
        write_unsigned(program, depth);
        at = position;
    }
    Ok(())
}

fn encode(
    common: &Common<'_>,
    common_at: u64,
    start: u64,
    size: u64,
    program: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let back =
        u32::try_from(start + 4 - common_at).map_err(|_| "the unwind information is too large")?;
    let mut record = vec![0; 4];
    record.extend_from_slice(&back.to_le_bytes());
    record.resize(record.len() + common.pointer, 0);
    record.extend_from_slice(&size.to_le_bytes()[..common.pointer]);
    if common.augmented {
        record.push(common.language as u8);
        record.resize(record.len() + common.language, 0);
    }
    record.extend_from_slice(program);
    record.resize(record.len().next_multiple_of(8), NOP);
    let length = (record.len() - 4) as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    Ok(record)
}

fn parse_common(record: &[u8]) -> Option<Common<'_>> {
    let mut cursor = Cursor::new(record);
    let version = cursor.byte()?;
    let augmentation = cursor.string()?;
    let code_align = cursor.unsigned()?;
    cursor.signed()?;
    if version == 1 {
        cursor.byte()?;
    } else {
        cursor.unsigned()?;
    }
    let mut common = Common {
        augmented: augmentation.starts_with(b"z"),
        pointer: 8,
        language: 0,
        code_align,
        instructions: &[],
    };
    if common.augmented {
        let length = cursor.unsigned()? as usize;
        let mut data = Cursor::new(cursor.take(length)?);
        for letter in &augmentation[1..] {
            match letter {
                b'R' => {
                    common.pointer = pointer_size(data.byte()?)?;
                }
                b'P' => {
                    let encoding = data.byte()?;
                    data.skip(pointer_size(encoding)?)?;
                }
                b'L' => {
                    let encoding = data.byte()?;
                    common.language = if encoding == OMITTED {
                        0
                    } else {
                        pointer_size(encoding)?
                    };
                }
                b'S' | b'B' | b'G' => {}
                _ => return None,
            }
        }
    } else if !augmentation.is_empty() {
        return None;
    }
    common.instructions = cursor.rest();
    Some(common)
}

/// Bytes that a pointer of an encoding occupies.
fn pointer_size(encoding: u8) -> Option<usize> {
    match encoding & 0x0f {
        0x00 | 0x04 | 0x0c => Some(8),
        0x03 | 0x0b => Some(4),
        0x02 | 0x0a => Some(2),
        _ => None,
    }
}
