//! Reads constants of several kinds.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static GREETING: &str = "howdy";
static NUMBER: u32 = 2;
static TABLE: &[u32] = &[3, 4, 5];
static ACTION: fn() -> &'static str = second;
const LIMIT: u32 = 20;
const WORD: &str = "two";
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

fn second() -> &'static str {
    "second"
}
