//! Counts in 32 bits.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", count());
    }
}

#[hotswap::entry]
fn count() -> String {
    format!("count {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
