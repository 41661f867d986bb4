//! Looks for its own functions in a backtrace.

use std::{backtrace::Backtrace, hint::black_box, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let trace = inlined_one().to_string();
    let has = |text: &str| trace.contains(text);
    format!(
        "inner {}, inlined {}, answer {}, main {}, line {}",
        has("backtrace_names::inner_one"),
        has("backtrace_names::inlined_one"),
        has("backtrace_names::answer"),
        has("backtrace_names::main"),
        has(&format!("src/main.rs:{LINE}")),
    )
}

#[inline(always)]
fn inlined_one() -> Backtrace {
    inner_one()
}

#[inline(never)]
fn inner_one() -> Backtrace {
    let trace = Backtrace::force_capture();
    // So that the call above is not the function's end.
    black_box(trace)
}

const LINE: u32 = line!() - 5;
