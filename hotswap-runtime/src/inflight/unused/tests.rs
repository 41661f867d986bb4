//! What calls leave on stacks, and what is left of it after others.

use std::fs::File;
use std::future::{Future as _, pending};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use super::*;
use crate::entry::{Arg, Descriptor};
use crate::gate::arity::call0;
use crate::gate::{Tracked, TrackedFuture};
use crate::table;
use crate::table::tests::turn;

/// No word that a program has by chance.
const MARK: u64 = 0x6d61_726b_6d61_726b;
const MARKS: usize = 1024;

static NOTHING: Descriptor = Descriptor::new("unused::nothing", "fn nothing()", 0, None);
static FUTURE: Descriptor = Descriptor::new("unused::future", "async fn future()", 0, None);

fn call() {
    call0::<Tracked, _>(&NOTHING, || Arg([()]));
}

#[inline(never)]
fn leave_marks(depth: usize) {
    let marks = black_box([MARK; MARKS]);
    if depth > 0 {
        leave_marks(depth - 1);
    }
    black_box(&marks);
}

/// How many marks there are below the caller, up to so many bytes away.
#[inline(never)]
fn marks_within(bytes: usize) -> usize {
    let here = 0u8;
    let mut words = vec![0; bytes];
    let start = (&raw const here).addr() - bytes;
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut words, start as u64).unwrap();
    let (words, _) = words[start.wrapping_neg() % 8..].as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_ne_bytes(*word));
    words.filter(|word| *word == MARK).count()
}

#[test]
fn the_first_call_after_a_table_clears_what_earlier_ones_left() {
    let _turn = turn();
    call();
    for _ in 0..3 {
        leave_marks(1);
        assert!(marks_within(24 << 10) > MARKS, "nothing was left");
        table::renew();
        call();
        assert_eq!(marks_within(24 << 10), 0);
    }
}

#[test]
fn the_first_poll_after_a_table_clears_too() {
    let _turn = turn();
    let future = call0::<TrackedFuture, _>(&FUTURE, || Arg([pending::<()>()]));
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        leave_marks(1);
        assert!(marks_within(24 << 10) > MARKS, "nothing was left");
        table::renew();
        assert_eq!(future.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(marks_within(24 << 10), 0);
    }
}

/// Calls down to the end of a stack that is smaller than what is cleared.
#[inline(never)]
fn call_to_the_end(left_at_last: &mut usize) {
    let room = black_box([0u8; 128]);
    let own = OWN.get().flatten().unwrap();
    let left = (&raw const room).addr() - own.start;
    *left_at_last = left;
    table::renew();
    call();
    if left > 6 << 10 {
        call_to_the_end(left_at_last);
    }
    black_box(&room);
}

#[test]
fn a_small_stack_does_not_overflow() {
    let _turn = turn();
    let small = thread::Builder::new().stack_size(24 << 10);
    let thread = small.spawn(|| {
        call();
        let own = Stack::own().unwrap();
        let mut left = usize::MAX;
        call_to_the_end(&mut left);
        (own.end - own.start, left)
    });
    let (bytes, left) = thread.unwrap().join().unwrap();
    assert!(
        bytes < BYTES && left <= 6 << 10,
        "{bytes} bytes, {left} left"
    );
}

#[test]
fn only_memory_of_the_own_stack_is_cleared() {
    let stack = Stack {
        start: 0x10_0000,
        end: 0x20_0000,
        grows: false,
    };
    for (pointer, expected) in [
        (0x1f_f000, Some(0x1f_7000)),
        (0x10_0100, Some(0x10_0000)),
        (0x18_0001, Some(0x17_8008)),
        // Stacks of coroutines, in other mappings.
        (0x0f_fff8, None),
        (0x20_0000, None),
        (0x7000_0000_0000, None),
    ] {
        assert_eq!(stack.unused(pointer), expected, "{pointer:#x}");
    }
}

#[test]
fn the_first_stack_is_cleared_only_where_it_has_grown_already() {
    let stack = |start: usize, end: usize| Stack {
        start,
        end,
        grows: true,
    };
    // The kernel maps nothing so low.
    assert_eq!(stack(0x1000, 0xf000).unused(0x8080), Some(0x8000));
    let memory = vec![1u64; BYTES];
    let start = memory.as_ptr().addr();
    let middle = start + size_of_val(&*memory) / 2;
    assert_eq!(
        stack(start, middle + 8).unused(middle),
        Some(middle - BYTES)
    );
    assert_eq!(
        stack(middle - 8, middle + 8).unused(middle),
        Some(middle - 8)
    );
}

#[test]
fn a_thread_knows_its_stack() {
    let _turn = turn();
    let here = 0u8;
    let here = (&raw const here).addr();
    let own = Stack::own().unwrap();
    assert!((own.start..own.end).contains(&here));
}
