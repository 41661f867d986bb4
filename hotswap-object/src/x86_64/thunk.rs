//! Out-of-line replacements for instructions whose memory operand is state of another image.
//!
//! A thunk leaves everything as the instruction it replaces does: registers, flags, the stack
//! and the red zone below it.

use iced_x86::{
    Code, Encoder, FlowControl, Instruction, InstructionInfo, InstructionInfoFactory, OpAccess,
    OpKind, Register, UsedRegister,
};
use object::elf;

/// How the thunk finds the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The address comes from the global offset table.
    Address,
    /// The distance from the thread pointer does; the operand's own base is the thread pointer.
    ThreadOffset,
}

/// What kind of thunk it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The destination register carries the address.
    Destination,
    /// A register is spilled for the address.
    Spill,
    /// The instruction is a call.
    Call,
    /// The instruction is a jump.
    Jump,
    /// The instruction is a push.
    Push,
}

/// Code that stands for one instruction.
#[derive(Debug, Clone)]
pub struct Thunk {
    pub shape: Shape,
    /// What replaces the instruction: a jump or call to the thunk, padded.
    pub site: Vec<u8>,
    pub code: Vec<u8>,
    /// Offset in the code of the field that takes the relocation.
    pub field: u64,
    /// Type of that relocation; its addend is -4.
    pub relocation: u32,
    /// From each offset in the code on, how far the stack pointer is below where it was.
    pub frames: Vec<(u64, i64)>,
}

const RED_ZONE: i8 = -128;
/// Registers that any instruction may name beside AH to DH, and that no caller expects back.
const SPILLABLE: [Register; 5] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RSI,
    Register::RDI,
];
const NOT_ENCODABLE: &str = "the instruction can't be encoded with another address";
const STACK: &str = "the instruction uses the stack pointer";

/// Builds thunks; holds what analysing instructions needs.
pub struct Builder {
    info: InstructionInfoFactory,
}

impl Builder {
    pub fn new() -> Self {
        Self {
            info: InstructionInfoFactory::new(),
        }
    }

    /// A thunk that starts at `start` for an instruction that accesses state at `offset` from the
    /// symbol that the relocation will name.
    pub fn build(
        &mut self,
        instruction: &Instruction,
        access: Access,
        offset: i64,
        start: u64,
    ) -> Result<Thunk, &'static str> {
        if instruction.len() < 5 {
            return Err("the instruction is shorter than a jump");
        }
        let offset = i32::try_from(offset).map_err(|_| "the offset exceeds 32 bits")?;
        check_operand(instruction, access)?;
        let mut code = Assembler::new(access, start);
        let shape = match instruction.code() {
            Code::Call_rm64 | Code::Jmp_rm64 => code.branch(instruction, access, offset)?,
            Code::Push_rm64 => code.push(instruction, access, offset)?,
            _ => {
                if instruction.flow_control() != FlowControl::Next
                    || instruction.is_stack_instruction()
                {
                    return Err("the instruction branches or uses the stack");
                }
                let info = self.info.info(instruction);
                match destination(instruction, info) {
                    Some(register) => code.through_destination(instruction, register, offset)?,
                    None => {
                        let register = spillable(info)?;
                        code.through_spill(instruction, register, offset)?
                    }
                }
            }
        };
        if !matches!(shape, Shape::Call | Shape::Jump) {
            code.jump_to(instruction.next_ip());
        }
        let site = redirect(instruction, shape, start)?;
        Ok(Thunk {
            shape,
            site,
            code: code.bytes,
            field: code.field,
            relocation: match access {
                Access::Address => elf::R_X86_64_REX_GOTPCRELX,
                Access::ThreadOffset => elf::R_X86_64_GOTTPOFF,
            },
            frames: code.frames,
        })
    }
}

fn check_operand(instruction: &Instruction, access: Access) -> Result<(), &'static str> {
    let mut operands =
        (0..instruction.op_count()).filter(|&index| instruction.op_kind(index) == OpKind::Memory);
    if operands.next().is_none() || operands.next().is_some() {
        return Err("the instruction has no single memory operand");
    }
    let base = instruction.memory_base();
    match access {
        Access::Address if instruction.segment_prefix() != Register::None => {
            Err("the operand is relative to a segment")
        }
        Access::Address if base == Register::RIP => Ok(()),
        Access::Address => Err("the operand isn't relative to the instruction pointer"),
        Access::ThreadOffset if is_wide(base) && is_wide(instruction.memory_index()) => Ok(()),
        Access::ThreadOffset => Err("the operand isn't a 64-bit address"),
    }
}

fn is_wide(register: Register) -> bool {
    register == Register::None || register.is_gpr64()
}

/// The register that the instruction writes and does not read, if it is wide enough for an address.
fn destination(instruction: &Instruction, info: &InstructionInfo) -> Option<Register> {
    if instruction.op0_kind() != OpKind::Register {
        return None;
    }
    let register = instruction.op0_register().full_register();
    let uses = |used: &&UsedRegister| used.register().full_register() == register;
    let only_written = info.used_registers().iter().filter(uses).all(|used| {
        let whole = used.register().is_gpr64() || used.register().is_gpr32();
        used.access() == OpAccess::Write && whole
    });
    let fits = register.is_gpr64() && register != Register::RSP;
    let wide = instruction.op0_register().is_gpr64() || instruction.op0_register().is_gpr32();
    (fits && wide && only_written && info.op0_access() == OpAccess::Write).then_some(register)
}

fn spillable(info: &InstructionInfo) -> Result<Register, &'static str> {
    let uses = |register: Register| {
        info.used_registers()
            .iter()
            .any(|used| used.register().full_register() == register)
    };
    if uses(Register::RSP) {
        return Err(STACK);
    }
    SPILLABLE
        .into_iter()
        .find(|&register| !uses(register))
        .ok_or("the instruction leaves no register to spill")
}

/// The jump or call that takes the instruction's place.
fn redirect(instruction: &Instruction, shape: Shape, start: u64) -> Result<Vec<u8>, &'static str> {
    let length = instruction.len();
    let mut site = Vec::with_capacity(length);
    let opcode_at = if shape == Shape::Call { length - 5 } else { 0 };
    // A call keeps its return address: address-size prefixes, which it ignores, come first.
    site.resize(opcode_at, 0x67);
    site.push(if shape == Shape::Call { 0xe8 } else { 0xe9 });
    let next = instruction.ip() + opcode_at as u64 + 5;
    site.extend_from_slice(&distance(next, start)?.to_le_bytes());
    // Nothing runs the rest.
    site.resize(length, 0xcc);
    Ok(site)
}

fn distance(from: u64, to: u64) -> Result<i32, &'static str> {
    i32::try_from(to.cast_signed() - from.cast_signed()).map_err(|_| "the section exceeds 2 GB")
}

struct Assembler {
    access: Access,
    start: u64,
    bytes: Vec<u8>,
    field: u64,
    frames: Vec<(u64, i64)>,
}

impl Assembler {
    fn new(access: Access, start: u64) -> Self {
        Self {
            access,
            start,
            bytes: Vec::with_capacity(40),
            field: 0,
            frames: Vec::new(),
        }
    }

    fn through_destination(
        &mut self,
        instruction: &Instruction,
        register: Register,
        offset: i32,
    ) -> Result<Shape, &'static str> {
        self.load(register);
        self.operate(instruction, register, offset)?;
        Ok(Shape::Destination)
    }

    fn through_spill(
        &mut self,
        instruction: &Instruction,
        register: Register,
        offset: i32,
    ) -> Result<Shape, &'static str> {
        self.lower_stack(RED_ZONE);
        self.frame(128);
        self.push_register(register);
        self.frame(136);
        self.load(register);
        self.operate(instruction, register, offset)?;
        self.pop_register(register);
        self.frame(128);
        self.raise_stack(128);
        self.frame(0);
        Ok(Shape::Spill)
    }

    fn branch(
        &mut self,
        instruction: &Instruction,
        access: Access,
        offset: i32,
    ) -> Result<Shape, &'static str> {
        if access != Access::Address {
            return Err("the branch goes through a thread-local");
        }
        // No call convention passes anything in r11, and every one lets a callee change it.
        self.load(Register::R11);
        let call = instruction.code() == Code::Call_rm64;
        let mut jump = *instruction;
        jump.set_code(Code::Jmp_rm64);
        self.operate(&jump, Register::R11, offset)?;
        Ok(if call { Shape::Call } else { Shape::Jump })
    }

    fn push(
        &mut self,
        instruction: &Instruction,
        access: Access,
        offset: i32,
    ) -> Result<Shape, &'static str> {
        if access != Access::Address {
            return Err("the push reads a thread-local");
        }
        let register = Register::RAX;
        self.lower_stack_wide(-136);
        self.frame(136);
        self.push_register(register);
        self.frame(144);
        self.load(register);
        let mut read = Instruction::with2(
            Code::Mov_r64_rm64,
            register,
            iced_x86::MemoryOperand::with_base_displ(Register::RIP, 0),
        )
        .map_err(|_| NOT_ENCODABLE)?;
        read.set_segment_prefix(instruction.segment_prefix());
        self.operate(&read, register, offset)?;
        // mov %rax,136(%rsp): the slot that the push would have filled.
        self.bytes
            .extend_from_slice(&[0x48, 0x89, 0x84, 0x24, 0x88, 0, 0, 0]);
        self.pop_register(register);
        self.frame(136);
        self.raise_stack(128);
        self.frame(8);
        Ok(Shape::Push)
    }

    fn frame(&mut self, below: i64) {
        self.frames.push((self.bytes.len() as u64, below));
    }

    /// `mov symbol@GOT(%rip), register`
    fn load(&mut self, register: Register) {
        let number = register.number() as u8;
        let rex = 0x48 | ((number >> 3) << 2);
        self.bytes
            .extend_from_slice(&[rex, 0x8b, 0x05 | ((number & 7) << 3), 0, 0, 0, 0]);
        self.field = self.bytes.len() as u64 - 4;
    }

    /// The instruction itself, with `register` for its address.
    fn operate(
        &mut self,
        instruction: &Instruction,
        register: Register,
        offset: i32,
    ) -> Result<(), &'static str> {
        let mut changed = *instruction;
        match (
            self.access,
            instruction.memory_base(),
            instruction.memory_index(),
        ) {
            (Access::Address, ..) | (_, Register::None, _) => changed.set_memory_base(register),
            (_, _, Register::None) => {
                changed.set_memory_index(register);
                changed.set_memory_index_scale(1);
            }
            (_, base, _) => {
                self.add(register, base)?;
                changed.set_memory_base(register);
            }
        }
        changed.set_memory_displacement64(i64::from(offset).cast_unsigned());
        changed.set_memory_displ_size(u32::from(offset != 0));
        self.encode(&changed)
    }

    /// `lea (register,base), register`, which leaves the flags alone.
    fn add(&mut self, register: Register, base: Register) -> Result<(), &'static str> {
        let sum = iced_x86::MemoryOperand::with_base_index(register, base);
        let lea = Instruction::with2(Code::Lea_r64_m, register, sum).map_err(|_| NOT_ENCODABLE)?;
        self.encode(&lea)
    }

    fn encode(&mut self, instruction: &Instruction) -> Result<(), &'static str> {
        let mut encoder = Encoder::new(64);
        let at = self.start + self.bytes.len() as u64;
        encoder.encode(instruction, at).map_err(|_| NOT_ENCODABLE)?;
        self.bytes.extend_from_slice(&encoder.take_buffer());
        Ok(())
    }

    /// `lea distance(%rsp), %rsp`, which leaves the flags alone.
    fn lower_stack(&mut self, distance: i8) {
        self.bytes
            .extend_from_slice(&[0x48, 0x8d, 0x64, 0x24, distance.cast_unsigned()]);
    }

    fn lower_stack_wide(&mut self, distance: i32) {
        self.bytes.extend_from_slice(&[0x48, 0x8d, 0xa4, 0x24]);
        self.bytes.extend_from_slice(&distance.to_le_bytes());
    }

    fn raise_stack(&mut self, distance: i32) {
        self.lower_stack_wide(distance);
    }

    fn push_register(&mut self, register: Register) {
        self.bytes.push(0x50 + register.number() as u8);
    }

    fn pop_register(&mut self, register: Register) {
        self.bytes.push(0x58 + register.number() as u8);
    }

    fn jump_to(&mut self, target: u64) {
        let next = self.start + self.bytes.len() as u64 + 5;
        let distance = target.wrapping_sub(next) as u32;
        self.bytes.push(0xe9);
        self.bytes.extend_from_slice(&distance.to_le_bytes());
    }
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests;
