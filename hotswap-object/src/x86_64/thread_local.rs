//! Rewrites accesses to thread-locals of every model to the local-exec model, in place.

use iced_x86::{Code, Instruction, OpKind, Register};

/// `mov %fs:0, %rax`
const LOAD_THREAD_POINTER: [u8; 9] = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0];

/// Bytes that replace part of the code, from `start` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub start: u64,
    pub bytes: Vec<u8>,
    /// Offset of the second relocation of the sequence, which has nothing left to do.
    pub call: u64,
}

/// The general-dynamic sequence whose `lea` has its displacement at `offset`:
/// `data16 lea x@tlsgd(%rip),%rdi` and a padded call, 16 bytes.
pub fn general_dynamic(code: &[u8], offset: u64, distance: i32) -> Option<Replacement> {
    let start = offset.checked_sub(4)?;
    let sequence = code.get(start as usize..start as usize + 16)?;
    let calls: [[u8; 4]; 3] = [
        [0x66, 0x66, 0x48, 0xe8],
        [0x66, 0x48, 0xff, 0x15],
        [0x66, 0x48, 0x67, 0xe8],
    ];
    let padded = calls.iter().any(|call| sequence[8..12] == *call);
    if sequence[..4] != [0x66, 0x48, 0x8d, 0x3d] || !padded {
        return None;
    }
    let mut bytes = LOAD_THREAD_POINTER.to_vec();
    bytes.extend_from_slice(&[0x48, 0x8d, 0x80]);
    bytes.extend_from_slice(&distance.to_le_bytes());
    Some(Replacement {
        start,
        bytes,
        call: offset + 8,
    })
}

/// The local-dynamic sequence whose `lea` has its displacement at `offset`:
/// `lea x@tlsld(%rip),%rdi` and a call, 12 or 13 bytes. It yields the thread pointer afterwards.
pub fn local_dynamic(code: &[u8], offset: u64) -> Option<Replacement> {
    let start = offset.checked_sub(3)?;
    let sequence = code.get(start as usize..)?;
    if !sequence.starts_with(&[0x48, 0x8d, 0x3d]) {
        return None;
    }
    let (length, call) = match (sequence.get(7)?, sequence.get(8)?) {
        (0xe8, _) => (12, offset + 5),
        (0xff, 0x15) => (13, offset + 6),
        (0x67, 0xe8) => (13, offset + 6),
        _ => return None,
    };
    sequence.get(..length)?;
    let mut bytes = vec![0x66; length - LOAD_THREAD_POINTER.len()];
    bytes.extend_from_slice(&LOAD_THREAD_POINTER);
    Some(Replacement { start, bytes, call })
}

/// An instruction that reads a thread-local's distance from the global offset table, with the
/// distance as an immediate instead; of the same length.
pub fn initial_exec(instruction: &Instruction, distance: i32) -> Option<Vec<u8>> {
    let register = match instruction.code() {
        Code::Test_rm64_r64 => instruction.op1_register(),
        Code::Push_rm64 => return push(instruction, distance),
        _ => instruction.op0_register(),
    };
    let (opcode, digit) = match instruction.code() {
        Code::Mov_r64_rm64 => (0xc7, 0),
        Code::Add_r64_rm64 => (0x81, 0),
        Code::Or_r64_rm64 => (0x81, 1),
        Code::Adc_r64_rm64 => (0x81, 2),
        Code::Sbb_r64_rm64 => (0x81, 3),
        Code::And_r64_rm64 => (0x81, 4),
        Code::Sub_r64_rm64 => (0x81, 5),
        Code::Xor_r64_rm64 => (0x81, 6),
        Code::Cmp_r64_rm64 => (0x81, 7),
        Code::Test_rm64_r64 => (0xf7, 0),
        _ => return None,
    };
    let number = register.number() as u8;
    let fits = register.is_gpr64() && instruction.len() == 7 && is_relative(instruction);
    if !fits {
        return None;
    }
    let mut bytes = vec![
        0x48 | (number >> 3),
        opcode,
        0xc0 | (digit << 3) | (number & 7),
    ];
    bytes.extend_from_slice(&distance.to_le_bytes());
    Some(bytes)
}

fn push(instruction: &Instruction, distance: i32) -> Option<Vec<u8>> {
    if instruction.len() != 6 || !is_relative(instruction) {
        return None;
    }
    let mut bytes = vec![0x68];
    bytes.extend_from_slice(&distance.to_le_bytes());
    bytes.push(0x90);
    Some(bytes)
}

fn is_relative(instruction: &Instruction) -> bool {
    instruction.memory_base() == Register::RIP && instruction.segment_prefix() == Register::None
}

/// An instruction that has a thread-local's distance as its immediate, reading it from the
/// global offset table instead: the bytes and the offset of the field in them. Only forms of
/// the same length.
pub fn immediate_to_got(instruction: &Instruction) -> Option<(Vec<u8>, u64)> {
    let opcode = match instruction.code() {
        Code::Mov_rm64_imm32 => 0x8b,
        Code::Add_rm64_imm32 => 0x03,
        Code::Sub_rm64_imm32 => 0x2b,
        Code::Cmp_rm64_imm32 => 0x3b,
        _ => return None,
    };
    if instruction.op0_kind() != OpKind::Register || instruction.len() != 7 {
        return None;
    }
    let number = instruction.op0_register().number() as u8;
    let bytes = vec![
        0x48 | ((number >> 3) << 2),
        opcode,
        0x05 | ((number & 7) << 3),
        0,
        0,
        0,
        0,
    ];
    Some((bytes, 3))
}

#[cfg(test)]
mod tests;
