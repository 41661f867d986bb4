//! Looks for its own functions in a backtrace, some lines further down.

use std::{backtrace::Backtrace, hint::black_box, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let trace = inlined_two().to_string();
    let has = |text: &str| trace.contains(text);
    let gone = has("inner_one");
    assert!(!gone, "{trace}");
    format!(
        "INNER {}, inlined {}, answer {}, main {}, line {}",
        has("backtrace_names::inner_two"),
        has("backtrace_names::inlined_two"),
        has("backtrace_names::answer"),
        has("backtrace_names::main"),
        has(&format!("src/main.rs:{LINE}")),
    )
}

#[inline(always)]
fn inlined_two() -> Backtrace {
    inner_two()
}

#[inline(never)]
fn inner_two() -> Backtrace {
    let trace = Backtrace::force_capture();
    // So that the call above is not the function's end.
    black_box(trace)
}

const LINE: u32 = line!() - 5;
