//! Counts in thread-locals of several sizes.

use std::{cell::Cell, env, io};

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

fn main() {
    let tunables = env::var("GLIBC_TUNABLES").unwrap_or_default();
    for _ in io::stdin().lines() {
        println!("{tunables}, {}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    COUNT.set(COUNT.get() + 1);
    let mut counts = vec![COUNT.get()];
    counts.extend(more());
    format!("{counts:?}")
}

fn more() -> Option<u32> {
    // First.
    None
}
