//! What it costs a release build that it can be patched, that it is, and that it was: instructions a request, requests
//! a second, size. And what swaps cost those who are served meanwhile.
//!
//! `HOTSWAP_BENCH_SWAPS=N` has another number of patches applied and reverted than a thousand. `HOTSWAP_BENCH_PARTS` names
//! what is measured, of `throughput`, `sizes`, `swaps`, `wrk` and `instructions`, where that shall not be all: the last
//! and the sizes don't depend on what else the machine does.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hotswap_bench::figures::{Report, Table, interval, median, percentile};
use hotswap_bench::patchable::{Generator, swaps_under, wanted_swaps};
use hotswap_bench::web::{Builds, Client, Server, under_load};
use hotswap_bench::{Measure, measure, wrk};

/// Requests of which the instructions are counted at a time.
const COUNTED: usize = 1000;

/// How often they are counted in one process.
const COUNTS: usize = 5;

/// Processes of each kind in which they are counted: how tasks wake each other is not the same in all.
const PROCESSES: usize = 5;

/// Rounds in which each kind is loaded once.
const ROUNDS: usize = 20;

/// How long, at a time.
const ROUND: Duration = Duration::from_millis(500);

const CLIENTS: usize = 4;

/// Between two requests of a client while patches come and go: the processors are not busy all the time.
const PAUSE: Duration = Duration::from_millis(2);

/// Applies and reverts between two quiet times of the same length.
const BLOCK: usize = 25;

/// How long `wrk` loads the server at a time.
const WRK_SECONDS: u64 = 5;

/// The kinds of servers, in the order of the tables.
const KINDS: [&str; 6] = [
    "plain",
    "plain, thin LTO",
    "plain, fat LTO, one unit",
    "patchable",
    "patched",
    "reverted",
];

/// One server of each kind.
fn servers(builds: &Builds, by: &[String]) -> Result<Vec<Server>> {
    let start = |executable: &Path| Server::start(executable, by);
    let servers = vec![
        start(&builds.plain)?,
        start(&builds.thin)?,
        start(&builds.fat)?,
        start(&builds.patchable)?,
        start(&builds.patchable)?,
        start(&builds.patchable)?,
    ];
    servers[4].program.apply(&builds.patch)?;
    servers[5].program.apply(&builds.patch)?;
    servers[5].program.revert()?;
    Ok(servers)
}

/// Instructions a request, by callgrind.
fn instructions(builds: &Builds, report: &mut Report) -> Result<()> {
    if Command::new("callgrind_control")
        .arg("--version")
        .output()
        .is_err()
    {
        report.line("instructions: left out, since valgrind is not installed\n");
        return Ok(());
    }
    let folder = hotswap_tests::target()?.join("callgrind");
    fs::create_dir_all(&folder)?;
    let files = folder.join("out.%p");
    let by = ["valgrind", "--quiet", "--tool=callgrind"].map(str::to_owned);
    let by: Vec<String> = by
        .into_iter()
        .chain([format!("--callgrind-out-file={}", files.display())])
        .collect();
    let mut rows = [const { Vec::new() }; KINDS.len()];
    for _ in 0..PROCESSES {
        for (server, row) in servers(builds, &by)?.iter().zip(&mut rows) {
            row.push(median(&counts(server, &folder)?));
        }
    }
    fs::remove_dir_all(&folder)?;
    let headings = ["median", "to plain", "least", "most"];
    let mut table = Table::new("instructions a request", &headings, 3);
    let plain = median(&rows[0]);
    for (name, row) in KINDS.iter().zip(&rows) {
        let part = |part| percentile(row, part) / plain;
        table.row(
            name,
            &[median(row), median(row) / plain, part(0.0), part(100.0)],
        );
    }
    report.table(&table);
    report.line(&format!(
        "  (of {PROCESSES} processes of each; least, most: of these, to the median of plain)\n"
    ));
    Ok(())
}

/// Instructions a request of this server, which callgrind runs.
fn counts(server: &Server, folder: &Path) -> Result<Vec<f64>> {
    let mut client = Client::connect(&server.address)?;
    let serve = |client: &mut Client| (0..COUNTED).try_for_each(|_| client.greet());
    serve(&mut client)?;
    let mut counts = Vec::new();
    for _ in 0..COUNTS {
        control(server, "--zero")?;
        serve(&mut client)?;
        control(server, "--dump")?;
        counts.push(newest(folder, server.program.pid())? / COUNTED as f64);
    }
    Ok(counts)
}

fn control(server: &Server, what: &str) -> Result<()> {
    let output = Command::new("callgrind_control")
        .args([what, &server.program.pid().to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && said.contains("OK"), "{said}");
    Ok(())
}

/// What the newest dump of a process has counted; it is removed.
fn newest(folder: &Path, pid: u32) -> Result<f64> {
    let prefix = format!("out.{pid}.");
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with(&prefix) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        fs::remove_file(&path)?;
        let mut lines = text.lines();
        let counted = lines.find_map(|line| {
            line.strip_prefix("summary: ")
                .or_else(|| line.strip_prefix("totals: "))
        });
        return Ok(counted.context("a dump without a sum")?.trim().parse()?);
    }
    anyhow::bail!("callgrind has left no dump of {pid}")
}

/// Requests a second, each kind in turn.
fn throughput(builds: &Builds, report: &mut Report) -> Result<()> {
    let servers = servers(builds, &["env".to_owned()])?;
    let mut rates = vec![Vec::new(); servers.len()];
    for round in 0..=ROUNDS {
        for (server, rates) in servers.iter().zip(&mut rates) {
            let begun = Instant::now();
            let work = || {
                thread::sleep(ROUND);
                Ok(())
            };
            let ((), met) = under_load(server, CLIENTS, Duration::ZERO, work)?;
            ensure!(met.failed.is_empty(), "{:?}", met.failed);
            // The first one only warms up.
            if round > 0 {
                rates.push(met.times.len() as f64 / begun.elapsed().as_secs_f64());
            }
        }
    }
    let headings = ["median", "to plain", "from", "to"];
    let mut table = Table::new("requests a second", &headings, 3);
    for (name, own) in KINDS.iter().zip(&rates) {
        let ratios: Vec<f64> = own
            .iter()
            .zip(&rates[0])
            .map(|(one, plain)| one / plain)
            .collect();
        let (from, to) = interval(&ratios);
        table.row(name, &[median(own), median(&ratios), from, to]);
    }
    report.table(&table);
    report.line("  (from, to: where the mean ratio lies with 95 % confidence)\n");
    Ok(())
}

/// Sizes of what is built.
fn sizes(builds: &Builds, report: &mut Report) -> Result<()> {
    let mut table = Table::new("size (MB)", &["file", "loaded"], 2);
    let builds_of_kinds = [&builds.plain, &builds.thin, &builds.fat, &builds.patchable];
    for (name, path) in KINDS.iter().zip(builds_of_kinds) {
        let bytes = fs::read(path)?;
        let loaded = cargo_hotswap::base::build::loaded_bytes(&bytes)?;
        table.row(name, &[bytes.len() as f64 / 1e6, loaded as f64 / 1e6]);
    }
    table.row("the patch", &[builds.patch.len() as f64 / 1e6, 0.0]);
    report.table(&table);
    Ok(())
}

/// What `wrk` meets with while patches come and go.
fn by_wrk(builds: &Builds, report: &mut Report) -> Result<()> {
    if !wrk::is_installed() {
        report.line("wrk: left out, since it is not installed\n");
        return Ok(());
    }
    let server = Server::start(&builds.patchable, &["env".to_owned()])?;
    let url = format!("http://{}/hello/Alice", server.address);
    let generator = Generator {
        name: "wrk",
        start: &|| wrk::start(&url, WRK_SECONDS),
        end: &wrk::end,
    };
    swaps_under(&generator, &server.program, &builds.patch, report)
}

/// Latencies while patches come and go, and in quiet times between.
fn swaps(builds: &Builds, report: &mut Report) -> Result<()> {
    let wanted = wanted_swaps();
    let server = Server::start(&builds.patchable, &["env".to_owned()])?;
    let (mut during, mut without) = (Vec::new(), Vec::new());
    let (mut failed, mut acts) = (Vec::new(), Vec::new());
    for _ in 0..wanted.div_ceil(BLOCK) {
        let begun = Instant::now();
        let (program, patch) = (&server.program, &builds.patch);
        let block = || (0..BLOCK).try_for_each(|_| program.apply_and_revert(patch, &mut acts));
        let ((), met) = under_load(&server, CLIENTS, PAUSE, block)?;
        let long = begun.elapsed();
        during.extend(met.times);
        failed.extend(met.failed);
        let quiet = || {
            thread::sleep(long);
            Ok(())
        };
        let ((), met) = under_load(&server, CLIENTS, PAUSE, quiet)?;
        without.extend(met.times);
        failed.extend(met.failed);
    }
    let headings = ["median", "p95", "p99", "p99.9"];
    let mut table = Table::new("microseconds a request", &headings, 1);
    let row = |times: &[f64]| [50.0, 95.0, 99.0, 99.9].map(|part| percentile(times, part));
    table.row("without swaps", &row(&without));
    table.row("during swaps", &row(&during));
    report.table(&table);
    report.line(&format!(
        "  {} applies and as many reverts, {:.1} ms each in the median; {} of {} requests failed; p99 during swaps is {:.2} \
         times that without\n",
        acts.len() / 2,
        median(&acts),
        failed.len(),
        during.len() + without.len(),
        percentile(&during, 99.0) / percentile(&without, 99.0)
    ));
    for text in failed.iter().take(5) {
        report.line(&format!("    {text}"));
    }
    Ok(())
}

fn main() -> Result<()> {
    let parts: [(&str, Measure<Builds>); 5] = [
        ("throughput", throughput),
        ("sizes", sizes),
        ("swaps", swaps),
        ("wrk", by_wrk),
        ("instructions", instructions),
    ];
    measure("production", Builds::make, &parts)
}
