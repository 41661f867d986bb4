//! Counts.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("count {}", count());
    }
}

#[hotswap::entry]
fn count() -> u32 {
    let next = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    next
}
