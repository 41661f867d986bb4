//! Reads constants of several kinds.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static GREETING: &str = "hello";
static NUMBER: u32 = 1;
static TABLE: &[u32] = &[1, 2];
static ACTION: fn() -> &'static str = first;
const LIMIT: u32 = 10;
const WORD: &str = "one";
static KEPT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let kept = KEPT.fetch_add(1, Ordering::Relaxed) + 1;
    format!("{GREETING} {NUMBER} {TABLE:?} {} {LIMIT} {WORD}; kept {kept}", ACTION())
}

fn first() -> &'static str {
    "first"
}
