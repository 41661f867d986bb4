//! Has two constructors.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static FIRST_RAN: AtomicU32 = AtomicU32::new(0);
static SECOND_RAN: AtomicU32 = AtomicU32::new(0);

#[used]
// SAFETY: it is a pointer to a constructor, as the section asks.
#[unsafe(link_section = ".init_array")]
static FIRST: extern "C" fn() = first;

extern "C" fn first() {
    FIRST_RAN.fetch_add(1, Ordering::Relaxed);
}

#[used]
// SAFETY: it is a pointer to a constructor, as the section asks.
#[unsafe(link_section = ".init_array")]
static SECOND: extern "C" fn() = second;

extern "C" fn second() {
    SECOND_RAN.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let first = FIRST_RAN.load(Ordering::Relaxed);
    let second = SECOND_RAN.load(Ordering::Relaxed);
    format!("{}: first ran {first}, second ran {second}", "three")
}
