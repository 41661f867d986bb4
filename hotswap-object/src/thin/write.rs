//! Writes units that hold nothing but lines and inlined calls.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::read::{Code, Function, Sections, Unit};
use crate::elf::{Rela, moved};

/// The shapes of what is written, in the form of `.debug_abbrev`: number, tag, whether there are
/// children, then attributes with their forms.
#[rustfmt::skip]
pub const ABBREVIATIONS: [u8; 90] = [
    // A unit of one range: language, name, folder, lines, address, length.
    1, 0x11, 1, 0x13, 0x05, 0x03, 0x08, 0x1b, 0x08, 0x10, 0x17, 0x11, 0x01, 0x12, 0x07, 0, 0,
    // A unit of several: language, name, folder, lines, address zero, ranges.
    2, 0x11, 1, 0x13, 0x05, 0x03, 0x08, 0x1b, 0x08, 0x10, 0x17, 0x11, 0x01, 0x55, 0x17, 0, 0,
    // A function that was inlined: linkage name.
    3, 0x2e, 0, 0x6e, 0x08, 0, 0,
    // A function of one range: address, length.
    4, 0x2e, 1, 0x11, 0x01, 0x12, 0x07, 0, 0,
    // A function of several: ranges.
    5, 0x2e, 1, 0x55, 0x17, 0, 0,
    // An inlined call of one range: origin, file, line, column, address, length.
    6, 0x1d, 1, 0x31, 0x13, 0x58, 0x0f, 0x59, 0x0f, 0x57, 0x0f, 0x11, 0x01, 0x12, 0x07, 0, 0,
    // An inlined call of several: origin, file, line, column, ranges.
    7, 0x1d, 1, 0x31, 0x13, 0x58, 0x0f, 0x59, 0x0f, 0x57, 0x0f, 0x55, 0x17, 0, 0,
    // The end.
    0,
];

const UNIT: [u8; 2] = [1, 2];
const NAME: u8 = 3;
const FUNCTION: [u8; 2] = [4, 5];
const INLINED: [u8; 2] = [6, 7];

/// The end of an entry's children.
const END: u8 = 0;

/// `.debug_info` with its relocations.
#[derive(Debug, Default)]
pub struct Written {
    pub info: Vec<u8>,
    pub relocations: Vec<Rela>,
}

/// Writes units anew; `None` if something has no name.
pub fn units(sections: &Sections<'_>, units: &[Unit<'_>]) -> Option<Written> {
    let mut writer = Writer {
        sections,
        written: Written::default(),
    };
    for unit in units {
        writer.unit(unit)?;
    }
    Some(writer.written)
}

struct Writer<'a, 'data> {
    sections: &'a Sections<'data>,
    written: Written,
}

impl Writer<'_, '_> {
    fn unit(&mut self, unit: &Unit<'_>) -> Option<()> {
        // Without lines or code nobody would find it.
        let (Some(lines), Some(code)) = (unit.lines, unit.code) else {
            return Some(());
        };
        let start = self.written.info.len();
        self.bytes(&[0; 4]);
        self.bytes(&4_u16.to_le_bytes());
        self.relocated(unit.abbreviations, 4, Some(0))?;
        self.bytes(&[8]);
        self.bytes(&[number(code, UNIT)]);
        self.bytes(&(unit.language as u16).to_le_bytes());
        self.text(unit.name);
        self.text(unit.folder);
        self.relocated(lines, 4, None)?;
        if matches!(code, Code::Ranges(_)) {
            self.bytes(&[0; 8]);
        }
        self.code(code)?;
        self.functions(unit, start)?;
        self.bytes(&[END]);
        let length = self.written.info.len() - start - 4;
        let length = u32::try_from(length).ok()?.to_le_bytes();
        self.written.info[start..start + 4].copy_from_slice(&length);
        Some(())
    }

    /// Writes the functions into which others were inlined, with those calls.
    /// Their own names are in the symbol table.
    fn functions(&mut self, unit: &Unit<'_>, start: usize) -> Option<()> {
        let kept = kept(&unit.functions);
        let names = self.names(unit, &kept, start)?;
        let mut open: Vec<usize> = Vec::new();
        for (index, function) in unit.functions.iter().enumerate() {
            if !kept[index] {
                continue;
            }
            while open.last().copied() != function.inlined_in && open.pop().is_some() {
                self.bytes(&[END]);
            }
            // A function inside of another came between them.
            if open.last().copied() != function.inlined_in {
                return None;
            }
            let code = function.code?;
            let shapes = if function.inlined_in.is_some() {
                INLINED
            } else {
                FUNCTION
            };
            self.bytes(&[number(code, shapes)]);
            if function.inlined_in.is_some() {
                let origin = names.get(unit.name_of(function)?)?;
                self.bytes(&origin.to_le_bytes());
                function.call.iter().for_each(|part| self.leb128(*part));
            }
            self.code(code)?;
            open.push(index);
        }
        self.bytes(&vec![END; open.len()]);
        Some(())
    }

    /// Writes the name of each function that was inlined; the result is where they stand.
    fn names<'data>(
        &mut self,
        unit: &Unit<'data>,
        kept: &[bool],
        start: usize,
    ) -> Option<HashMap<&'data [u8], u32>> {
        let mut names = HashMap::new();
        for (function, _) in unit.functions.iter().zip(kept).filter(|(_, kept)| **kept) {
            if function.inlined_in.is_none() {
                continue;
            }
            let name = unit.name_of(function)?;
            if let Entry::Vacant(place) = names.entry(name) {
                place.insert(u32::try_from(self.written.info.len() - start).ok()?);
                self.bytes(&[NAME]);
                self.text(name);
            }
        }
        Some(names)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.written.info.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes(text);
        self.bytes(&[0]);
    }

    fn leb128(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes(&[value as u8 | 0x80]);
            value >>= 7;
        }
        self.bytes(&[value as u8]);
    }

    fn code(&mut self, code: Code) -> Option<()> {
        match code {
            Code::Range { low, length } => {
                self.relocated(low, 8, None)?;
                self.bytes(&length.to_le_bytes());
                Some(())
            }
            Code::Ranges(ranges) => self.relocated(ranges, 4, None),
        }
    }

    /// Leaves room for what the linker fills as it would have filled another place.
    fn relocated(&mut self, from: usize, length: usize, addend: Option<i64>) -> Option<()> {
        let to = self.written.info.len() as u64;
        let relocation = moved(self.sections.relocation(from)?, to, addend);
        self.written.relocations.push(relocation);
        self.bytes(&[0; 8][..length]);
        Some(())
    }
}

/// The number of the shape that suits the code.
fn number(code: Code, shapes: [u8; 2]) -> u8 {
    match code {
        Code::Range { .. } => shapes[0],
        Code::Ranges(_) => shapes[1],
    }
}

/// Which functions are written: calls that were inlined into code, and what they stand in.
fn kept(functions: &[Function<'_>]) -> Vec<bool> {
    let mut kept = vec![false; functions.len()];
    // What stands in another comes behind it.
    for (index, function) in functions.iter().enumerate().rev() {
        let code = function.code.is_some();
        if let Some(outer) = function.inlined_in
            && code
        {
            kept[index] = true;
            kept[outer] = true;
        }
        kept[index] &= code;
    }
    // A call without code of its own hides what it holds.
    for index in 0..functions.len() {
        if let Some(outer) = functions[index].inlined_in {
            kept[index] &= kept[outer];
        }
    }
    kept
}
