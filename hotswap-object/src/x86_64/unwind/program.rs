//! Call-frame instructions: enough of DWARF's to repeat the state at one address at another.

/// Number of the stack pointer in DWARF's numbering for x86_64.
const STACK_POINTER: u64 = 7;

/// How the frame's address is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// From the stack pointer, with this offset.
    StackPointer(u64),
    /// From another register or an expression.
    Other,
}

/// Reader of DWARF's primitive encodings.
#[derive(Debug, Clone)]
pub struct Cursor<'data> {
    bytes: &'data [u8],
}

impl<'data> Cursor<'data> {
    pub fn new(bytes: &'data [u8]) -> Self {
        Self { bytes }
    }

    pub fn rest(&self) -> &'data [u8] {
        self.bytes
    }

    pub fn take(&mut self, length: usize) -> Option<&'data [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    pub fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn fixed(&mut self, length: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes.get_mut(..length)?.copy_from_slice(self.take(length)?);
        Some(u64::from_le_bytes(bytes))
    }

    pub fn string(&mut self) -> Option<&'data [u8]> {
        let length = self.bytes.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.skip(1)?;
        Some(text)
    }

    pub fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0 && shift + 7 < 64;
                return Some(if negative {
                    value | (-1 << (shift + 7))
                } else {
                    value
                });
            }
        }
        None
    }
}

/// Appends a number in DWARF's variable length.
pub fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

const UNREADABLE: &str = "a call-frame instruction isn't known";

/// What one instruction does to the location or the frame.
enum Effect {
    Advance(u64),
    Nothing,
    Padding,
    Frame(u64, u64),
    Register(u64),
    Offset(u64),
    Expression,
    Remember,
    Restore,
}

/// Copies the instructions of a function that hold at `site` (counted from its start) to `out`,
/// without those that advance, and returns how the frame is found there.
pub fn replay(
    initial: &[u8],
    instructions: &[u8],
    code_align: u64,
    site: u64,
    out: &mut Vec<u8>,
) -> Result<Frame, &'static str> {
    let mut frame = State::default();
    let mut cursor = Cursor::new(initial);
    while !cursor.rest().is_empty() {
        frame.apply(step(&mut cursor).ok_or(UNREADABLE)?)?;
    }
    let mut cursor = Cursor::new(instructions);
    let mut at = 0;
    while !cursor.rest().is_empty() {
        let before = cursor.rest();
        match step(&mut cursor).ok_or(UNREADABLE)? {
            Effect::Advance(units) => {
                at = units.saturating_mul(code_align).saturating_add(at);
                if at > site {
                    break;
                }
            }
            Effect::Padding => {}
            effect => {
                frame.apply(effect)?;
                out.extend_from_slice(&before[..before.len() - cursor.rest().len()]);
            }
        }
    }
    Ok(frame.frame())
}

#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    register: u64,
    offset: u64,
    expression: bool,
}

#[derive(Debug, Default)]
struct State {
    rule: Rule,
    remembered: Vec<Rule>,
}

impl State {
    fn apply(&mut self, effect: Effect) -> Result<(), &'static str> {
        match effect {
            Effect::Frame(register, offset) => {
                self.rule = Rule {
                    register,
                    offset,
                    expression: false,
                }
            }
            Effect::Register(register) => self.rule.register = register,
            Effect::Offset(offset) => self.rule.offset = offset,
            Effect::Expression => self.rule.expression = true,
            Effect::Remember => self.remembered.push(self.rule),
            Effect::Restore => {
                self.rule = self
                    .remembered
                    .pop()
                    .ok_or("a state is restored that wasn't remembered")?;
            }
            Effect::Advance(_) | Effect::Nothing | Effect::Padding => {}
        }
        Ok(())
    }

    fn frame(&self) -> Frame {
        if self.rule.register == STACK_POINTER && !self.rule.expression {
            Frame::StackPointer(self.rule.offset)
        } else {
            Frame::Other
        }
    }
}

/// Reads one instruction.
fn step(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let opcode = cursor.byte()?;
    let low = u64::from(opcode & 0x3f);
    match opcode & 0xc0 {
        0x40 => return Some(Effect::Advance(low)),
        0x80 => return cursor.unsigned().map(|_| Effect::Nothing),
        0xc0 => return Some(Effect::Nothing),
        _ => {}
    }
    let effect = match opcode {
        0x00 => Effect::Padding,
        0x2d => Effect::Nothing,
        0x02 => Effect::Advance(cursor.fixed(1)?),
        0x03 => Effect::Advance(cursor.fixed(2)?),
        0x04 => Effect::Advance(cursor.fixed(4)?),
        // One operand: restore_extended, undefined, same_value, GNU_args_size.
        0x06 | 0x07 | 0x08 | 0x2e => {
            cursor.unsigned()?;
            Effect::Nothing
        }
        // Two: offset_extended, register, offset_extended_sf, val_offset, val_offset_sf.
        0x05 | 0x09 | 0x11 | 0x14 | 0x15 => {
            cursor.unsigned()?;
            cursor.unsigned()?;
            Effect::Nothing
        }
        0x0a => Effect::Remember,
        0x0b => Effect::Restore,
        0x0c => Effect::Frame(cursor.unsigned()?, cursor.unsigned()?),
        0x0d => Effect::Register(cursor.unsigned()?),
        0x0e => Effect::Offset(cursor.unsigned()?),
        0x0f => {
            let length = cursor.unsigned()?;
            cursor.skip(usize::try_from(length).ok()?)?;
            Effect::Expression
        }
        0x10 | 0x16 => {
            cursor.unsigned()?;
            let length = cursor.unsigned()?;
            cursor.skip(usize::try_from(length).ok()?)?;
            Effect::Nothing
        }
        _ => return None,
    };
    Some(effect)
}

#[cfg(test)]
mod tests;
