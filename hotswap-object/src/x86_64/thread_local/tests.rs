//! Tables of thread-local accesses and what they become.

use iced_x86::{Decoder, DecoderOptions, Instruction};

use super::{general_dynamic, immediate_to_got, initial_exec, local_dynamic};
use crate::x86_64::sweep::text;

fn listing(code: &[u8]) -> Vec<String> {
    let decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    decoder
        .into_iter()
        .map(|instruction| text(&instruction))
        .collect()
}

fn decode(code: &[u8]) -> Instruction {
    Decoder::new(64, code, DecoderOptions::NONE).decode()
}

#[test]
fn general_dynamic_becomes_local_exec() {
    let calls: [&[u8]; 2] = [
        &[0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0],
        &[0x66, 0x48, 0xff, 0x15, 0, 0, 0, 0],
    ];
    for call in calls {
        let code = [&[0x90, 0x66, 0x48, 0x8d, 0x3d, 0, 0, 0, 0], call, &[0xc3]].concat();
        let replacement = general_dynamic(&code, 5, -40).unwrap();
        assert_eq!(
            (replacement.start, replacement.call, replacement.bytes.len()),
            (1, 13, 16)
        );
        assert_eq!(
            listing(&replacement.bytes),
            ["mov %fs:0,%rax", "lea -0x28(%rax),%rax"]
        );
    }
    assert_eq!(general_dynamic(&[0x90; 20], 5, 0), None);
    assert_eq!(general_dynamic(&[], 2, 0), None);
}

#[test]
fn local_dynamic_yields_the_thread_pointer() {
    let calls: [(&[u8], u64); 2] = [(&[0xe8, 0, 0, 0, 0], 8), (&[0xff, 0x15, 0, 0, 0, 0], 9)];
    for (call, field) in calls {
        let code = [&[0x48, 0x8d, 0x3d, 0, 0, 0, 0], call].concat();
        let replacement = local_dynamic(&code, 3).unwrap();
        assert_eq!(replacement.bytes.len(), code.len());
        assert_eq!((replacement.start, replacement.call), (0, field));
        assert_eq!(listing(&replacement.bytes), ["mov %fs:0,%rax"]);
    }
    assert_eq!(local_dynamic(&[0x90; 20], 3), None);
    assert_eq!(
        local_dynamic(&[0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xe8], 3),
        None
    );
}

#[test]
fn initial_exec_becomes_an_immediate() {
    let table: [(&[u8], &str); 7] = [
        (&[0x48, 0x8b, 0x05, 0, 0, 0, 0], "mov $-0x10,%rax"),
        (&[0x4c, 0x8b, 0x25, 0, 0, 0, 0], "mov $-0x10,%r12"),
        (&[0x48, 0x03, 0x0d, 0, 0, 0, 0], "add $-0x10,%rcx"),
        (&[0x4c, 0x03, 0x3d, 0, 0, 0, 0], "add $-0x10,%r15"),
        (&[0x48, 0x3b, 0x1d, 0, 0, 0, 0], "cmp $-0x10,%rbx"),
        (&[0x48, 0x85, 0x15, 0, 0, 0, 0], "test $-0x10,%rdx"),
        (&[0x48, 0x2b, 0x35, 0, 0, 0, 0], "sub $-0x10,%rsi"),
    ];
    for (code, expected) in table {
        let bytes = initial_exec(&decode(code), -16).unwrap();
        assert_eq!(bytes.len(), code.len());
        assert_eq!(listing(&bytes), [expected]);
    }
    let push = initial_exec(&decode(&[0xff, 0x35, 0, 0, 0, 0]), -16).unwrap();
    assert_eq!(listing(&push), ["push $-0x10", "nop"]);
    // A 32-bit load, a multiplication, another segment.
    let refused: [&[u8]; 3] = [
        &[0x8b, 0x05, 0, 0, 0, 0],
        &[0x48, 0x0f, 0xaf, 0x05, 0, 0, 0, 0],
        &[0x64, 0x48, 0x8b, 0x05, 0, 0, 0, 0],
    ];
    for code in refused {
        assert_eq!(initial_exec(&decode(code), -16), None);
    }
}

#[test]
fn immediates_become_loads() {
    let table: [(&[u8], &str); 3] = [
        (&[0x48, 0xc7, 0xc1, 0, 0, 0, 0], "mov (%rip),%rcx"),
        (&[0x49, 0xc7, 0xc1, 0, 0, 0, 0], "mov (%rip),%r9"),
        (&[0x48, 0x81, 0xc3, 0, 0, 0, 0], "add (%rip),%rbx"),
    ];
    for (code, expected) in table {
        let (bytes, field) = immediate_to_got(&decode(code)).unwrap();
        assert_eq!((bytes.len(), field), (code.len(), 3));
        assert_eq!(listing(&bytes), [expected]);
    }
    assert_eq!(immediate_to_got(&decode(&[0x48, 0x05, 0, 0, 0, 0])), None);
}
