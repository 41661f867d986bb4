//! Statics of one name in closures, among which others come to stand.

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
    // First.
    let ten = || {
        static COUNT: AtomicU32 = AtomicU32::new(10);
        COUNT.fetch_add(1, Relaxed) + 1
    };
    let hundred = || {
        static COUNT: AtomicU32 = AtomicU32::new(100);
        COUNT.fetch_add(1, Relaxed) + 1
    };
    let more = more();
    format!("one {} {} {more:?}", ten(), hundred())
}

fn more() -> Vec<u32> {
    // Second.
    vec![]
}
