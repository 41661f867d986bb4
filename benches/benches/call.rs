//! Times a call through an entry, tracked and untracked, against a direct call that is not inlined.
//!
//! Each round times all three, in an order that rotates; differences and ratios are taken round by
//! round, so that a machine that is slow for a while is slow for all. Each call depends on the
//! result of the one before, so these are latencies.

use std::hint::black_box;
use std::time::Instant;

use hotswap_bench::figures::{Report, Table, median, p95, pairs};

/// Calls in one measurement.
const CALLS: u32 = 500_000;

/// Rounds of measurements.
const ROUNDS: usize = 101;

#[inline(never)]
fn add_direct(a: u64, b: u64) -> u64 {
    a.rotate_left(5) ^ b
}

#[hotswap::entry]
fn add_tracked(a: u64, b: u64) -> u64 {
    a.rotate_left(5) ^ b
}

#[hotswap::entry(untracked)]
fn add_untracked(a: u64, b: u64) -> u64 {
    a.rotate_left(5) ^ b
}

#[inline(never)]
fn text_direct(text: &str, b: u64) -> u64 {
    text.len() as u64 ^ b
}

#[hotswap::entry]
fn text_tracked(text: &str, b: u64) -> u64 {
    text.len() as u64 ^ b
}

#[hotswap::entry(untracked)]
fn text_untracked(text: &str, b: u64) -> u64 {
    text.len() as u64 ^ b
}

/// Nanoseconds for one call.
#[inline(never)]
fn time(call: impl Fn(u64, u64) -> u64) -> f64 {
    let begun = Instant::now();
    let mut result = 0;
    for number in 0..u64::from(CALLS) {
        result = call(result, number);
    }
    black_box(result);
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// Times direct, untracked and tracked calls in turns, and reports a table.
fn compare(report: &mut Report, name: &str, calls: [&dyn Fn() -> f64; 3]) {
    let mut times = [const { Vec::new() }; 3];
    for call in calls {
        // The first call of an entry registers it.
        call();
    }
    for round in 0..ROUNDS {
        for turn in 0..calls.len() {
            let which = (round + turn) % calls.len();
            times[which].push(calls[which]());
        }
    }
    let headings = ["median", "p95", "over", "ratio"];
    let mut table = Table::new(&format!("{name} (ns a call)"), &headings, 2);
    let [direct, ..] = &times;
    for (kind, times) in ["direct", "untracked", "tracked"].iter().zip(&times) {
        let over = median(&pairs(times, direct, |time, direct| time - direct));
        let ratio = median(&pairs(times, direct, |time, direct| time / direct));
        table.row(kind, &[median(times), p95(times), over, ratio]);
    }
    report.table(&table);
}

fn main() -> std::io::Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let mut report = Report::new("call");
    compare(
        &mut report,
        "fn(u64, u64) -> u64",
        [&|| time(add_direct), &|| time(add_untracked), &|| {
            time(add_tracked)
        }],
    );
    let text = black_box("some text");
    compare(
        &mut report,
        "fn(&str, u64) -> u64",
        [
            &|| time(|a, b| text_direct(text, a ^ b)),
            &|| time(|a, b| text_untracked(text, a ^ b)),
            &|| time(|a, b| text_tracked(text, a ^ b)),
        ],
    );
    report.finish()
}
