//! Counts in a private static.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("one {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
