//! Runs instructions and the thunks that stand for them on the processor, and compares all that
//! can be seen: registers, flags, memory, the stack and the red zone.

use iced_x86::{Decoder, DecoderOptions, Instruction};

use super::{Access, Builder, Shape};
use machine::{CODE, Machine, State};

mod machine;

/// Instructions as bytes; `d` stands for the four bytes of the displacement.
#[rustfmt::skip]
const FORMS: &[(&str, Shape)] = &[
    ("48 8b 0d d", Shape::Destination),             // mov S(%rip),%rcx
    ("8b 05 d", Shape::Destination),                // mov S(%rip),%eax
    ("44 8b 3d d", Shape::Destination),             // mov S(%rip),%r15d
    ("48 8b 2d d", Shape::Destination),             // mov S(%rip),%rbp
    ("4c 8b 25 d", Shape::Destination),             // mov S(%rip),%r12
    ("0f b6 05 d", Shape::Destination),             // movzbl S(%rip),%eax
    ("48 0f bf 35 d", Shape::Destination),          // movswq S(%rip),%rsi
    ("48 63 3d d", Shape::Destination),             // movslq S(%rip),%rdi
    ("48 6b 05 d 07", Shape::Destination),          // imul $7,S(%rip),%rax
    ("48 69 15 d 01 02 03 00", Shape::Destination), // imul $0x30201,S(%rip),%rdx
    ("f2 48 0f 2c 05 d", Shape::Destination),       // cvttsd2si S(%rip),%rax
    ("8a 05 d", Shape::Spill),                      // mov S(%rip),%al
    ("8a 25 d", Shape::Spill),                      // mov S(%rip),%ah
    ("88 35 d", Shape::Spill),                      // mov %dh,S(%rip)
    ("66 8b 1d d", Shape::Spill),                   // mov S(%rip),%bx
    ("48 89 05 d", Shape::Spill),                   // mov %rax,S(%rip)
    ("c6 05 d 7f", Shape::Spill),                   // movb $0x7f,S(%rip)
    ("66 c7 05 d 34 12", Shape::Spill),             // movw $0x1234,S(%rip)
    ("c7 05 d 78 56 34 12", Shape::Spill),          // movl $0x12345678,S(%rip)
    ("48 c7 05 d 78 56 34 12", Shape::Spill),       // movq $0x12345678,S(%rip)
    ("48 03 05 d", Shape::Spill),                   // add S(%rip),%rax
    ("48 01 0d d", Shape::Spill),                   // add %rcx,S(%rip)
    ("48 83 05 d 05", Shape::Spill),                // addq $5,S(%rip)
    ("48 13 1d d", Shape::Spill),                   // adc S(%rip),%rbx
    ("48 19 1d d", Shape::Spill),                   // sbb %rbx,S(%rip)
    ("80 3d d 01", Shape::Spill),                   // cmpb $1,S(%rip)
    ("81 3d d 00 00 00 80", Shape::Spill),          // cmpl $0x80000000,S(%rip)
    ("f6 05 d 40", Shape::Spill),                   // testb $0x40,S(%rip)
    ("48 ff 05 d", Shape::Spill),                   // incq S(%rip)
    ("ff 0d d", Shape::Spill),                      // decl S(%rip)
    ("48 f7 1d d", Shape::Spill),                   // negq S(%rip)
    ("48 f7 25 d", Shape::Spill),                   // mulq S(%rip)
    ("48 c1 05 d 03", Shape::Spill),                // rolq $3,S(%rip)
    ("48 d3 3d d", Shape::Spill),                   // sarq %cl,S(%rip)
    ("f0 48 ff 05 d", Shape::Spill),                // lock incq S(%rip)
    ("f0 48 0f c1 0d d", Shape::Spill),             // lock xadd %rcx,S(%rip)
    ("f0 48 0f b1 15 d", Shape::Spill),             // lock cmpxchg %rdx,S(%rip)
    ("f0 0f b0 1d d", Shape::Spill),                // lock cmpxchg %bl,S(%rip)
    ("f0 48 0f c7 0d d", Shape::Spill),             // lock cmpxchg16b S(%rip)
    ("48 87 05 d", Shape::Spill),                   // xchg %rax,S(%rip)
    ("86 25 d", Shape::Spill),                      // xchg %ah,S(%rip)
    ("48 0f 44 0d d", Shape::Spill),                // cmove S(%rip),%rcx
    ("48 0f ba 2d d 05", Shape::Spill),             // btsq $5,S(%rip)
    ("0f 94 05 d", Shape::Spill),                   // sete S(%rip)
    ("48 0f a4 05 d 07", Shape::Spill),             // shld $7,%rax,S(%rip)
    ("0f 10 05 d", Shape::Spill),                   // movups S(%rip),%xmm0
    ("0f 11 0d d", Shape::Spill),                   // movups %xmm1,S(%rip)
    ("f2 0f 58 05 d", Shape::Spill),                // addsd S(%rip),%xmm0
    ("f2 0f 11 05 d", Shape::Spill),                // movsd %xmm0,S(%rip)
    ("66 0f ef 0d d", Shape::Spill),                // pxor S(%rip),%xmm1
    ("66 0f 2e 05 d", Shape::Spill),                // ucomisd S(%rip),%xmm0
    ("66 0f 3a 0f 05 d 03", Shape::Spill),          // palignr $3,S(%rip),%xmm0
    ("dd 05 d", Shape::Spill),                      // fldl S(%rip)
    ("48 8d 05 d", Shape::Destination),             // lea S(%rip),%rax
    ("8d 0d d", Shape::Destination),                // lea S(%rip),%ecx
];

/// The same for processors that have AVX.
#[rustfmt::skip]
const WIDE_FORMS: &[(&str, Shape)] = &[
    ("c5 fc 28 05 d", Shape::Spill),                // vmovaps S(%rip),%ymm0
    ("c5 f5 fe 05 d", Shape::Spill),                // vpaddd S(%rip),%ymm1,%ymm0
    ("c4 e2 79 18 0d d", Shape::Spill),             // vbroadcastss S(%rip),%xmm1
    ("c5 f8 11 05 d", Shape::Spill),                // vmovups %xmm0,S(%rip)
];

/// Where the thunk starts, in bytes from the instruction.
const THUNK: usize = 64;
/// Where the entry of the global offset table is.
const ENTRY: usize = 256;
/// Where the state is that the plain instruction reaches.
const NEAR: usize = 512;

fn bytes(form: &str, displacement: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in form.split(' ') {
        match part {
            "d" => bytes.extend_from_slice(&displacement.to_le_bytes()),
            _ => bytes.push(u8::from_str_radix(part, 16).unwrap()),
        }
    }
    bytes
}

fn decode(code: &[u8]) -> Instruction {
    let mut decoder = Decoder::with_ip(64, code, CODE, DecoderOptions::NONE);
    decoder.decode()
}

/// The instruction with its operand at `NEAR` plus an offset.
fn plain(form: &str, offset: i32) -> Vec<u8> {
    let length = bytes(form, 0).len() as i32;
    bytes(form, NEAR as i32 + offset - length)
}

/// Runs a form as it is and through its thunk, from the same start.
fn check(form: &str, shape: Shape, offset: i32, flags: u64, tail: &[u8]) {
    let original = plain(form, offset);
    let instruction = decode(&original);
    let thunk = Builder::new()
        .build(
            &instruction,
            Access::Address,
            i64::from(offset),
            CODE + THUNK as u64,
        )
        .unwrap_or_else(|reason| panic!("{form}: {reason}"));
    assert_eq!(thunk.shape, shape, "{form}");
    assert_eq!(thunk.site.len(), original.len(), "{form}");

    let mut machine = Machine::new();
    let start = State::patterned(flags);
    machine.put(0, &original);
    machine.put(original.len(), tail);
    machine.put(NEAR, &start.memory);
    let mut expected = machine.run(&start);
    machine.get(NEAR, &mut expected.memory);

    let mut machine = Machine::new();
    machine.put(0, &thunk.site);
    machine.put(original.len(), tail);
    machine.put(THUNK, &thunk.code);
    let entry = ENTRY as i32 - (THUNK as i32 + thunk.field as i32 + 4);
    machine.put(THUNK + thunk.field as usize, &entry.to_le_bytes());
    machine.put(ENTRY, &machine.far_address().to_le_bytes());
    machine.put_far(&start.memory);
    let mut found = machine.run(&start);
    machine.get_far(&mut found.memory);
    if matches!(instruction.mnemonic(), iced_x86::Mnemonic::Lea) {
        // The one instruction whose result is the address itself.
        let near = (machine.address() + NEAR as u64).wrapping_add_signed(i64::from(offset));
        let far = machine.far_address().wrapping_add_signed(i64::from(offset));
        let register = usize::from(form.starts_with("8d"));
        let mask = if register == 1 { 0xffff_ffff } else { u64::MAX };
        assert_eq!(
            (expected.registers[register] ^ near) & mask & 0xfff,
            0,
            "{form}"
        );
        assert_eq!(found.registers[register], far & mask, "{form}");
        expected.registers[register] = found.registers[register];
    }
    assert_eq!(expected, found, "{form} at {offset} with flags {flags:#x}");
}

#[test]
fn thunks_do_what_their_instructions_do() {
    let wide = if std::is_x86_feature_detected!("avx2") {
        WIDE_FORMS
    } else {
        &[]
    };
    for &(form, shape) in FORMS.iter().chain(wide) {
        for offset in [0, 32, 64] {
            for flags in [0x202, 0x202 | 0x8d5] {
                check(form, shape, offset, flags, &[0xc3]);
            }
        }
    }
}

#[test]
fn push_leaves_the_value_and_the_red_zone() {
    // push S(%rip); pop %rbx; ret
    for offset in [0, 8] {
        check("ff 35 d", Shape::Push, offset, 0x202 | 0x8d5, &[0x5b, 0xc3]);
    }
}

/// A call or jump through memory arrives with the same registers and the same return address.
fn check_branch(form: &str, shape: Shape, target: &[u8], tail: &[u8]) {
    const TARGET: usize = 800;
    let original = plain(form, 0);
    let thunk = Builder::new()
        .build(&decode(&original), Access::Address, 0, CODE + THUNK as u64)
        .unwrap();
    assert_eq!(thunk.shape, shape);
    let start = State::patterned(0x202 | 0x8d5);
    let mut outcomes = Vec::new();
    for through in [false, true] {
        let mut machine = Machine::new();
        machine.put(0, if through { &thunk.site } else { &original });
        machine.put(original.len(), tail);
        machine.put(TARGET, target);
        machine.put(THUNK, &thunk.code);
        let entry = ENTRY as i32 - (THUNK as i32 + thunk.field as i32 + 4);
        machine.put(THUNK + thunk.field as usize, &entry.to_le_bytes());
        machine.put(ENTRY, &machine.far_address().to_le_bytes());
        let address = machine.address() + TARGET as u64;
        machine.put(NEAR, &address.to_le_bytes());
        machine.put_far(&address.to_le_bytes());
        let mut outcome = machine.run(&start);
        // The register that no call convention keeps, and what is an address in one of the two
        // mappings: a jump leaves the red zone as it was.
        outcome.registers[11] = 0;
        for value in [&mut outcome.red_zone[15], &mut outcome.registers[3]] {
            if let Some(offset) = value.checked_sub(machine.address())
                && offset < 0x10_0000
            {
                *value = offset;
            }
        }
        outcomes.push(outcome);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_ne!(outcomes[0].registers[3], start.registers[3]);
}

#[test]
fn call_keeps_its_return_address() {
    // mov (%rsp),%rbx; ret
    check_branch(
        "ff 15 d",
        Shape::Call,
        &[0x48, 0x8b, 0x1c, 0x24, 0xc3],
        &[0xc3],
    );
}

#[test]
fn jump_arrives() {
    // lea (%rip),%rbx; ret
    check_branch(
        "ff 25 d",
        Shape::Jump,
        &[0x48, 0x8d, 0x1d, 0, 0, 0, 0, 0xc3],
        &[0xcc],
    );
}

#[test]
fn what_touches_the_stack_pointer_is_refused() {
    let refused = [
        "8f 05 d",    // pop S(%rip)
        "66 ff 35 d", // pushw S(%rip)
        "48 89 25 d", // mov %rsp,S(%rip)
        "48 8b 25 d", // mov S(%rip),%rsp
        "48 03 25 d", // add S(%rip),%rsp
        "67 8b 05 d", // mov S(%eip),%eax
        "64 8b 05 d", // mov %fs:S(%rip),%eax
        "ff 1d d",    // lcall *S(%rip)
        "48 8b 05 d", // an offset that exceeds 32 bits
    ];
    for form in refused {
        let offset = if form == "48 8b 05 d" { 1 << 31 } else { 0 };
        let instruction = decode(&plain(form, 0));
        let built = Builder::new().build(&instruction, Access::Address, offset, CODE + 64);
        assert!(built.is_err(), "{form}: {built:?}");
    }
}

#[test]
fn thread_offsets_join_the_operand() {
    let forms = [
        ("48 8d 80 d", "lea (%rax,%rcx),%rax"),
        ("48 8d b8 d", "lea 4(%rax,%rdi),%rdi"),
        ("80 b9 d 01", "cmpb $1,(%rcx,%rax)"),
        ("64 8b 04 25 d", "mov %fs:(%rax),%eax"),
        ("48 8b 94 c8 d", "mov (%rdx,%rcx,8),%rdx"),
    ];
    for (form, expected) in forms {
        let offset = if expected.contains('4') && expected.starts_with("lea 4") {
            4
        } else {
            0
        };
        let instruction = decode(&bytes(form, 0));
        let thunk = Builder::new()
            .build(&instruction, Access::ThreadOffset, offset, CODE + 64)
            .unwrap();
        let listing: Vec<String> =
            Decoder::with_ip(64, &thunk.code, CODE + 64, DecoderOptions::NONE)
                .iter()
                .map(|instruction| crate::x86_64::sweep::text(&instruction))
                .collect();
        assert!(
            listing.iter().any(|line| line == expected),
            "{form}: {listing:?}"
        );
        assert_eq!(thunk.relocation, object::elf::R_X86_64_GOTTPOFF);
    }
}
