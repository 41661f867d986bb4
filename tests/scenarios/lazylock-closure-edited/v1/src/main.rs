//! Makes values on first use.

use std::{
    io,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

static FORCED: LazyLock<String> = LazyLock::new(|| format!("made by {}", "one"));
static LATE: LazyLock<String> = LazyLock::new(|| "late by one".to_owned());
static ONCE: OnceLock<String> = OnceLock::new();
static CALLS: AtomicU32 = AtomicU32::new(0);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let value = match line {
        "forced" => FORCED.as_str(),
        "late" => LATE.as_str(),
        _ => ONCE.get_or_init(|| "set".to_owned()),
    };
    format!("{line}: {value}, {}", CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}
