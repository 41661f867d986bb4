//! Counts in 64 bits, under another name.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

static COUNT64: AtomicU64 = AtomicU64::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", count());
    }
}

#[hotswap::entry]
fn count() -> String {
    format!("count {}", COUNT64.fetch_add(1, Ordering::Relaxed) + 1)
}
