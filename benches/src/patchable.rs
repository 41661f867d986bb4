//! A program that runs and takes patches, and what those meet with who ask it meanwhile.

use std::io::Write as _;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hotswap_protocol::frame;
use hotswap_protocol::message::{PROTOCOL, Request, Response};
use hotswap_protocol::patch::order::{PatchOrder, PatchReport};
use hotswap_tests::Wire;

use crate::figures::{Report, Table, median, pairs};

/// Between two acts on patches.
const BETWEEN_ACTS: Duration = Duration::from_millis(10);

/// A program that takes patches. It is ended when this is dropped.
#[derive(Debug)]
pub struct Patchable(Child);

impl Patchable {
    /// What was started with `HOTSWAP_LISTEN`, or listens by itself.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Applies a patch for good.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn apply(&self, file: &[u8]) -> Result<PatchReport> {
        let order = PatchOrder::Apply {
            bytes: file.len() as u64,
            ttl_ms: None,
            dry_run: false,
        };
        self.patch(order, file)
    }

    /// Goes back from the newest patch.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn revert(&self) -> Result<PatchReport> {
        self.patch(PatchOrder::Revert { digest: None }, &[])
    }

    /// Has it do something with patches; a file follows the order where one is to be applied.
    fn patch(&self, order: PatchOrder, file: &[u8]) -> Result<PatchReport> {
        let mut wire = Wire::open(self.pid())?;
        wire.greet(PROTOCOL)?;
        frame::write(&mut wire.0, &Request::Patch { order })?;
        wire.0.write_all(file)?;
        match frame::read(&mut wire.0)? {
            Response::Patched(report) => Ok(*report),
            other => anyhow::bail!("{other:?}"),
        }
    }

    /// Applies a patch and goes back, and notes how many milliseconds each took.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn apply_and_revert(&self, patch: &[u8], acts: &mut Vec<f64>) -> Result<()> {
        for is_apply in [true, false] {
            let begun = Instant::now();
            let report = match is_apply {
                true => self.apply(patch)?,
                false => self.revert()?,
            };
            ensure!(report.changed, "{report:?}");
            acts.push(begun.elapsed().as_secs_f64() * 1e3);
            thread::sleep(BETWEEN_ACTS);
        }
        Ok(())
    }
}

impl Drop for Patchable {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A load generator that has nothing to do with this project, and asks as fast as it can for a while.
pub struct Generator<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Starts it.
    pub start: &'a dyn Fn() -> Result<Child>,
    /// Waits for its end, and reads what it says.
    pub end: &'a dyn Fn(Child) -> Result<Met>,
}

/// What it met with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Met {
    /// Answers that it got.
    pub requests: u64,
    /// Connections that broke, requests without an answer, and answers that were no success.
    pub failed: u64,
    /// Microseconds that 99 of 100 requests don't exceed.
    pub p99: f64,
}

/// How many patches are applied, and reverted: a thousand, or `HOTSWAP_BENCH_SWAPS`.
pub fn wanted_swaps() -> usize {
    let given = std::env::var("HOTSWAP_BENCH_SWAPS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1000)
}

/// What happens while a load generator asks.
const TURNS: [&str; 3] = ["without swaps", "during swaps", "beside other work"];

/// What a load generator meets with while patches come and go, and in times of the same length between: without any, and
/// while another process has as much to do as a patch takes. It leaves the processors no rest, so that tells
/// how much of the difference is for want of processors.
///
/// # Errors
///
/// The program refuses a patch, or the generator fails.
pub fn swaps_under(
    generator: &Generator<'_>,
    program: &Patchable,
    patch: &[u8],
    report: &mut Report,
) -> Result<()> {
    // The first one only warms up.
    (generator.end)((generator.start)()?)?;
    let (mut acts, mut rows) = (Vec::new(), [const { Vec::new() }; TURNS.len()]);
    let (mut requests, mut failed) = (0, 0);
    for round in 0.. {
        if acts.len() / 2 >= wanted_swaps() {
            break;
        }
        for turn in 0..TURNS.len() {
            // Which comes first changes from round to round.
            let what = (round + turn + 1) % TURNS.len();
            let mut load = (generator.start)()?;
            while what > 0 && load.try_wait()?.is_none() {
                match what {
                    1 => program.apply_and_revert(patch, &mut acts)?,
                    _ => work(median(&acts)),
                }
            }
            let met = (generator.end)(load)?;
            rows[what].push(met.p99);
            requests += met.requests;
            failed += met.failed;
        }
    }
    let name = generator.name;
    let title = format!("microseconds, of 100 requests by {name} the 99th");
    let mut table = Table::new(&title, &["median"], 1);
    for (what, row) in TURNS.iter().zip(&rows) {
        table.row(what, &[median(row)]);
    }
    report.table(&table);
    let to = |row: usize| median(&pairs(&rows[1], &rows[row], |one, other| one / other));
    report.line(&format!(
        "  {} applies and as many reverts, {:.1} ms each in the median; {failed} of {requests} requests failed; p99 during \
         swaps is {:.2} times that without, {:.2} times that beside other work (medians of {} rounds)\n",
        acts.len() / 2,
        median(&acts),
        to(0),
        to(2),
        rows[1].len()
    ));
    Ok(())
}

/// Keeps a processor busy for so many milliseconds, and rests as between two acts.
fn work(milliseconds: f64) {
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() * 1e3 < milliseconds {
        std::hint::spin_loop();
    }
    thread::sleep(BETWEEN_ACTS);
}
