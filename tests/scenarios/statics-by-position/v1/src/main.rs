//! One function with four statics of the same name.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let first = {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(1, Relaxed) + 1
    };
    let second = {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(10, Relaxed) + 10
    };
    let third = || {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(100, Relaxed) + 100
    };
    let fourth = || {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(1000, Relaxed) + 1000
    };
    format!("block {first}, block {second}, closure {}, closure {}", third(), fourth())
}
