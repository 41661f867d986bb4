//! Four impls and two functions, each with a static `COUNT`.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

struct A;
struct B;

trait Step {
    fn step() -> u32;
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!(
        "a {}, b {}, step a {}, step b {}, first {}, second {}",
        A::next(),
        B::next(),
        <A as Step>::step(),
        <B as Step>::step(),
        first(),
        second(),
    )
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

impl Step for B {
    fn step() -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(4, Relaxed) + 4
    }
}

fn first() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(5, Relaxed) + 5
}

fn second() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(6, Relaxed) + 6
}
