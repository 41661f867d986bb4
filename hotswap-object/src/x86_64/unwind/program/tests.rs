//! Tables of call-frame programs and what is left of them at an address.

use super::{Cursor, Frame, replay, write_unsigned};

/// What every CIE of this architecture starts with: the frame is 8 above the stack pointer, and
/// the return address just below it.
const INITIAL: &[u8] = &[0x0c, 7, 8, 0x90, 1];

/// `push %rbx` (offset 16), a call with remembered state at 4, an epilogue at 8 and what follows it.
const PROGRAM: &[u8] = &[
    0x41, 0x0e, 16, 0x83, 2, // 1: frame at 16, rbx saved
    0x43, 0x0a, 0x0e, 32, // 4: remember, frame at 32
    0x02, 4, 0x0b, // 8: restore
    0x44, 0x0d, 6, 0x00, // 12: frame from rbp, padding
    0x44, 0x0f, 2, 0x77, 8, // 16: frame from an expression
];

fn check(site: u64, expected: &[u8], frame: Frame) {
    let mut program = Vec::new();
    assert_eq!(
        replay(INITIAL, PROGRAM, 1, site, &mut program),
        Ok(frame),
        "{site}"
    );
    assert_eq!(program, expected, "{site}");
}

#[test]
fn the_state_at_an_address_is_repeated() {
    check(0, &[], Frame::StackPointer(8));
    check(1, &PROGRAM[1..5], Frame::StackPointer(16));
    check(3, &PROGRAM[1..5], Frame::StackPointer(16));
    check(
        4,
        &[0x0e, 16, 0x83, 2, 0x0a, 0x0e, 32],
        Frame::StackPointer(32),
    );
    check(
        8,
        &[0x0e, 16, 0x83, 2, 0x0a, 0x0e, 32, 0x0b],
        Frame::StackPointer(16),
    );
    check(
        12,
        &[0x0e, 16, 0x83, 2, 0x0a, 0x0e, 32, 0x0b, 0x0d, 6],
        Frame::Other,
    );
    check(
        16,
        &[
            0x0e, 16, 0x83, 2, 0x0a, 0x0e, 32, 0x0b, 0x0d, 6, 0x0f, 2, 0x77, 8,
        ],
        Frame::Other,
    );
}

#[test]
fn what_is_not_known_is_an_error() {
    for program in [&[0x3f][..], &[0x0e], &[0x0b], &[0x0f, 9, 0]] {
        assert!(
            replay(INITIAL, program, 1, 0, &mut Vec::new()).is_err(),
            "{program:?}"
        );
    }
}

#[test]
fn numbers_survive() {
    for number in [0, 1, 127, 128, 300, 1 << 40, u64::MAX >> 1] {
        let mut bytes = Vec::new();
        write_unsigned(&mut bytes, number);
        assert_eq!(Cursor::new(&bytes).unsigned(), Some(number));
    }
    for (bytes, number) in [
        (&[0x7f][..], -1),
        (&[0x78], -8),
        (&[0x80, 0x7f], -128),
        (&[0x3f], 63),
    ] {
        assert_eq!(Cursor::new(bytes).signed(), Some(number));
    }
}
