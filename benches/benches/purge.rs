//! Times for how long a program stands while it is proven that nothing refers to an old version.
//!
//! The program has a heap of so many megabytes, of which a thread writes about 200 MB/s, and so many
//! threads that sleep. Each figure is the median of several looks (`cargo hotswap versions --holders`).

use anyhow::{Context, Result};
use hotswap_bench::figures::{Report, Table, median};
use hotswap_tests::{Package, Session, hotswap_verb};
use serde_json::Value;

/// Looks for each figure.
const LOOKS: usize = 9;

/// Megabytes of heap, and threads.
const SIZES: [(u64, u64); 5] = [(64, 8), (1024, 8), (4096, 8), (64, 100), (64, 1000)];

const SOURCE: &str = r#"
use std::hint::black_box;
use std::thread;
use std::time::Duration;

#[hotswap::entry]
fn answer(line: &str) -> String {
    format!("{line} {}", "one")
}

fn main() {
    hotswap::set_purge_budget(Duration::from_secs(30));
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().unwrap());
    let (megabytes, threads): (usize, usize) = (numbers.next().unwrap(), numbers.next().unwrap());
    for _ in 0..threads {
        thread::Builder::new().stack_size(128 << 10).spawn(|| loop { thread::park() }).unwrap();
    }
    let mut heap = vec![1u8; megabytes << 20];
    let pages = heap.len() / 4096;
    thread::spawn(move || {
        let mut page = 0;
        loop {
            for _ in 0..50 {
                page = (page + 1) % pages;
                heap[page * 4096] += 1;
            }
            black_box(&heap);
            thread::sleep(Duration::from_millis(1));
        }
    });
    for line in std::io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}
"#;

fn main() -> Result<()> {
    let mut table = Table::new("all threads stand, ms", &["median", "longest"], 2);
    for (megabytes, threads) in SIZES {
        let times = stops(megabytes, threads)?;
        let longest = times.iter().copied().fold(0.0, f64::max);
        let name = format!("{megabytes} MB, {threads} threads");
        table.row(&name, &[median(&times), longest]);
    }
    let mut report = Report::new("purge");
    report.table(&table);
    Ok(report.finish()?)
}

fn stops(megabytes: u64, threads: u64) -> Result<Vec<f64>> {
    let package = Package::of_source("purge-bench", SOURCE)?;
    package.optimise()?;
    let (megabytes, threads) = (megabytes.to_string(), threads.to_string());
    let mut session = Session::run(&package, &["--", &megabytes, &threads])?;
    for (from, to) in [("one", "two"), ("two", "three")] {
        package.edit("src/main.rs", &format!("{from:?}"), &format!("{to:?}"))?;
        session.await_swapped()?;
    }
    session.ask("x", "x three")?;
    let pid = session.tool_pid().to_string();
    let arguments = [
        "versions",
        "--holders",
        "--pid",
        &pid,
        "--message-format=json",
    ];
    let look = |_| {
        let output = hotswap_verb(&package, &arguments)?.output()?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let stood = report["versions"][1]["stood_us"].as_f64();
        Ok(stood.with_context(|| format!("no time: {report}"))? / 1000.0)
    };
    let times = (0..LOOKS).map(look).collect::<Result<Vec<f64>>>()?;
    session.quit()?;
    Ok(times)
}
