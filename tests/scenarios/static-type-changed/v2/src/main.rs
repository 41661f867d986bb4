//! Counts in 64 bits.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

static COUNT: AtomicU64 = AtomicU64::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", count());
    }
}

#[hotswap::entry]
fn count() -> String {
    format!("count {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
