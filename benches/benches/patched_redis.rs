//! Applies patches to a release build of mini-redis and goes back from them, while `redis-benchmark` loads it, and looks
//! for errors and lost keys.
//!
//! Keys are set before and read after; a connection that is open all the time reads them over and over. `redis-benchmark`
//! ends at the first error it is answered with. `HOTSWAP_BENCH_SWAPS=N` has another number of patches than a thousand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use hotswap_bench::figures::Report;
use hotswap_bench::mini_redis::{self, Deployed};
use hotswap_bench::patchable::{Generator, swaps_under};
use hotswap_bench::resp::Client;
use hotswap_bench::{is_bench, known_keys, redis_benchmark, tool};

/// Requests in one run of `redis-benchmark`: some seconds.
const REQUESTS: usize = 200_000;

fn main() -> Result<()> {
    if !is_bench() {
        return Ok(());
    }
    if !redis_benchmark::is_installed() {
        println!("patched_redis: left out, since redis-benchmark is not installed");
        return Ok(());
    }
    let (executable, patch) = mini_redis::patchable(&tool::build()?)?;
    let server = Deployed::start(&executable)?;
    let mut client = Client::connect(server.port)?;
    known_keys::set(&mut client)?;
    let mut report = Report::new("patched_redis");
    let generator = Generator {
        name: "redis-benchmark",
        start: &|| redis_benchmark::start(server.port, REQUESTS),
        end: &|child| redis_benchmark::end(child, REQUESTS),
    };
    let done = AtomicBool::new(false);
    let (swapped, read) = thread::scope(|scope| {
        let read = scope.spawn(|| known_keys::read_over(&mut client, &done));
        let swapped = swaps_under(&generator, &server.program, &patch, &mut report);
        done.store(true, Ordering::Relaxed);
        (swapped, read.join().expect("no panic"))
    });
    swapped?;
    let (reads, misread) = read?;
    let lost = known_keys::wrong(&mut client)?;
    report.line(&format!(
        "  {reads} reads of known keys meanwhile, {misread} wrong; {lost} of {} keys lost",
        known_keys::COUNT
    ));
    Ok(report.finish()?)
}
