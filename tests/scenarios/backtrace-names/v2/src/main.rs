//! Looks for its own functions in a backtrace, some lines further down.

use std::{backtrace::Backtrace, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let trace = inner_two().to_string();
    let has = |text: &str| trace.contains(text);
    let gone = has("inner_one");
    assert!(!gone, "{trace}");
    format!(
        "INNER {}, answer {}, main {}, line {}",
        has("backtrace_names::inner_two"),
        has("backtrace_names::answer"),
        has("backtrace_names::main"),
        has(&format!("src/main.rs:{LINE}")),
    )
}

#[inline(never)]
fn inner_two() -> Backtrace {
    Backtrace::force_capture()
}

const LINE: u32 = line!() - 3;
