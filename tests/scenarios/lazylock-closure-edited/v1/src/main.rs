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
static NAMED: LazyLock<String> = LazyLock::new(make_name);
static FRESH: LazyLock<String> = LazyLock::new(make_fresh);
static LATER: LazyLock<String> = LazyLock::new(make_fresh);
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
        "named" => NAMED.as_str(),
        "fresh" => FRESH.as_str(),
        "later" => LATER.as_str(),
        _ => ONCE.get_or_init(|| "set".to_owned()),
    };
    format!("{line}: {value}, {}", CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}

fn make_name() -> String {
    "name of one".to_owned()
}

#[hotswap::entry]
fn make_fresh() -> String {
    "made by the entry".to_owned()
}
