//! Finds the instructions that relocations belong to, by decoding from a function's start.

use iced_x86::{Decoder, DecoderOptions, Formatter as _, GasFormatter, Instruction};

/// An instruction and where its relocated field lies.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub instruction: Instruction,
    /// Whether the field is the displacement of a memory operand; else it is an immediate or a
    /// branch distance.
    pub is_displacement: bool,
}

/// Decodes forward through one section's code.
pub struct Sweep<'code> {
    decoder: Decoder<'code>,
    code: &'code [u8],
}

impl<'code> Sweep<'code> {
    pub fn new(code: &'code [u8]) -> Self {
        Self {
            decoder: Decoder::new(64, code, DecoderOptions::NONE),
            code,
        }
    }

    /// The instruction one of whose fields starts at `offset`, decoding from `start` or from where
    /// the last search ended, whichever is later. `None` if no field starts there.
    pub fn find(&mut self, start: u64, offset: u64) -> Option<Found> {
        let position = self.decoder.position() as u64;
        if position < start || position > offset {
            self.decoder
                .set_position(usize::try_from(start).ok()?)
                .ok()?;
            self.decoder.set_ip(start);
        }
        let mut instruction = Instruction::default();
        while self.decoder.can_decode() {
            self.decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                // Data among the code: what follows can't be trusted.
                return None;
            }
            if instruction.next_ip() <= offset {
                continue;
            }
            let offsets = self.decoder.get_constant_offsets(&instruction);
            let at = usize::try_from(offset.checked_sub(instruction.ip())?).ok()?;
            let is_displacement = offsets.has_displacement()
                && offsets.displacement_offset() == at
                && offsets.displacement_size() == 4;
            let is_immediate = offsets.has_immediate() && offsets.immediate_offset() == at;
            return (is_displacement || is_immediate).then_some(Found {
                instruction,
                is_displacement,
            });
        }
        None
    }

    /// The bytes of an instruction.
    pub fn bytes(&self, instruction: &Instruction) -> &'code [u8] {
        let start = instruction.ip() as usize;
        self.code
            .get(start..start + instruction.len())
            .unwrap_or_default()
    }
}

/// The instruction in AT&T syntax.
pub fn text(instruction: &Instruction) -> String {
    let mut text = String::new();
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_rip_relative_addresses(true);
    formatter.options_mut().set_signed_immediate_operands(true);
    formatter.options_mut().set_uppercase_hex(false);
    formatter.format(instruction, &mut text);
    text
}
