//! Counts in signed bits.

use std::{
    io,
    sync::atomic::{AtomicI32, Ordering},
};

static COUNT: AtomicI32 = AtomicI32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", count());
    }
}

#[hotswap::entry]
fn count() -> String {
    format!("count {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
