//! Edits mini-redis 20 times while `redis-benchmark` loads it, and looks for errors and lost keys.
//!
//! Keys are set before and read after. Meanwhile one connection, open all the time, reads them over
//! and over. `redis-benchmark` ends at the first error it is answered with; it runs again and
//! again until the last edit is live.

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use hotswap_bench::figures::{Report, Table, median, p95};
use hotswap_bench::mini_redis::{Server, mini_redis};
use hotswap_bench::resp::Client;
use hotswap_bench::tool;
use hotswap_bench::work::{Edit, Work};
use hotswap_bench::{known_keys, redis_benchmark};
use hotswap_tests::Session;

const EDITS: usize = 20;

/// Runs of `redis-benchmark`; more than the edits ever take.
const RUNS: usize = 1000;

/// Requests of each kind in one run of `redis-benchmark`.
const REQUESTS: usize = 50_000;

/// What the load found.
#[derive(Default)]
struct Load {
    runs: usize,
    failed: usize,
    errors: Vec<String>,
    rates: Vec<String>,
}

impl Load {
    fn add(&mut self, output: &Output) {
        self.runs += 1;
        self.failed += usize::from(!output.status.success());
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.split(['\n', '\r']).map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            if line.to_lowercase().contains("error") {
                self.errors.push(line.to_owned());
            } else if line.contains("requests per second") {
                self.rates.push(line.to_owned());
            }
        }
    }
}

fn under_load(port: u16, done: &AtomicBool) -> Result<Load> {
    let mut load = Load::default();
    for _ in 0..RUNS {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let mut command = redis_benchmark::command(port, "set,get", REQUESTS);
        load.add(
            &command
                .arg("-q")
                .output()
                .context("running redis-benchmark")?,
        );
    }
    Ok(load)
}

/// Milliseconds from save to swap, edit by edit.
fn edits(session: &mut Session, work: &Work) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 1..=EDITS {
        let begun = Instant::now();
        let edit = if number % 2 == 0 {
            Edit::InsertLine
        } else {
            Edit::InPlace
        };
        work.save(edit, number)?;
        session.await_swapped()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

fn bench(tool: &Path) -> Result<()> {
    let work = mini_redis()?;
    let Server { mut session, port } = Server::start(&work, tool)?;
    let mut client = Client::connect(port)?;
    known_keys::set(&mut client)?;
    let done = AtomicBool::new(false);
    let (times, load, read) = thread::scope(|scope| {
        let load = scope.spawn(|| under_load(port, &done));
        let read = scope.spawn(|| known_keys::read_over(&mut client, &done));
        let times = edits(&mut session, &work);
        done.store(true, Ordering::Relaxed);
        (times, load.join(), read.join())
    });
    let (times, load) = (times?, load.expect("no panic")?);
    let (reads, misread) = read.expect("no panic")?;
    let lost = known_keys::wrong(&mut client)?.max(known_keys::wrong(&mut Client::connect(port)?)?);
    drop(client);
    Server { session, port }.end()?;
    let mut table = Table::new("edits under load (ms)", &["median", "p95"], 1);
    table.row(&format!("{EDITS} edits"), &[median(&times), p95(&times)]);
    let mut report = Report::new("load");
    report.table(&table);
    report.line(&format!(
        "  redis-benchmark: {} runs of 2 x {REQUESTS} requests, {} failed",
        load.runs, load.failed
    ));
    report.line(&format!("  errors reported: {}", load.errors.len()));
    let errors = load.errors.iter().take(10);
    for line in errors.chain(load.rates.iter().rev().take(2)) {
        report.line(&format!("    {line}"));
    }
    report.line(&format!(
        "  {reads} reads of known keys meanwhile, {misread} wrong"
    ));
    report.line(&format!("  {lost} of {} keys lost", known_keys::COUNT));
    Ok(report.finish()?)
}

fn main() -> Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    if !redis_benchmark::is_installed() {
        println!("load: left out, since redis-benchmark is not installed");
        return Ok(());
    }
    bench(&tool::build()?)
}
