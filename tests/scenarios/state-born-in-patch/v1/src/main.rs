//! Has one static.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static OLD: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("old {}", OLD.fetch_add(1, Ordering::Relaxed) + 1)
}
