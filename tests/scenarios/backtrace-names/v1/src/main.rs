//! Looks for its own functions in a backtrace.

use std::{backtrace::Backtrace, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let trace = inner_one().to_string();
    let has = |text: &str| trace.contains(text);
    format!(
        "inner {}, answer {}, main {}, line {}",
        has("backtrace_names::inner_one"),
        has("backtrace_names::answer"),
        has("backtrace_names::main"),
        has(&format!("src/main.rs:{LINE}")),
    )
}

#[inline(never)]
fn inner_one() -> Backtrace {
    Backtrace::force_capture()
}

const LINE: u32 = line!() - 3;
