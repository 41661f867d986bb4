//! Five impls, the new one above the others, and the functions the other way round.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

struct A;
struct B;
struct C;

trait Step {
    fn step() -> u32;
}

impl C {
    fn next() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(99);
        COUNT.fetch_add(1, Relaxed) + 1
    }
}

fn second() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(6, Relaxed) + 6
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!(
        "c {}, a {}, b {}, step a {}, step b {}, first {}, second {}",
        C::next(),
        A::next(),
        B::next(),
        <A as Step>::step(),
        <B as Step>::step(),
        first(),
        second(),
    )
}

impl Step for B {
    fn step() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(4, Relaxed) + 4
    }
}

impl A {
    fn next() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(1, Relaxed) + 1
    }
}

impl B {
    fn next() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(2, Relaxed) + 2
    }
}

impl Step for A {
    fn step() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(3, Relaxed) + 3
    }
}

fn first() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(5, Relaxed) + 5
}
