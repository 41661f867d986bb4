//! Times how long callers of a thousand servers wait when the servers' state changes its type, and when only code
//! does; and how long it takes to prove that nothing refers to old code where very many tasks wait. The same is done by
//! OTP in turns, where Erlang is installed. `HOTSWAP_BENCH_PARTS` names what is measured, of `paced`, `saturated` and
//! `purges`, where that shall not be all.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use hotswap_bench::figures::{Report, Table, median, pairs};
use hotswap_bench::servers::{Builds, Calls, Load, Otp, Servers};
use hotswap_bench::{Measure, measure};
use hotswap_protocol::purge::Manner;

const SERVERS: u64 = 1000;

/// Milliseconds between two calls of a client, where they are paced: 10,000 calls a second in all.
const GAP: u64 = 100;

const ROUNDS: usize = 10;

/// How long calls are noted.
const WINDOW: Duration = Duration::from_secs(1);

/// Tasks that only wait.
const IDLE: [u64; 2] = [10_000, 100_000];

/// What callers saw.
#[derive(Default)]
struct Seen {
    quiet: Vec<Calls>,
    upgraded: Vec<Calls>,
    loaded: Vec<Calls>,
    /// For how many milliseconds servers stood for each upgrade.
    pauses: Vec<f64>,
}

/// The calls while something is done, and for a while from there on.
fn noted(
    servers: &mut dyn Servers,
    act: impl FnOnce(&mut dyn Servers) -> Result<()>,
) -> Result<Calls> {
    servers.open()?;
    act(servers)?;
    thread::sleep(WINDOW);
    servers.close()
}

impl Seen {
    /// Before each change, a time without one is noted: the calls of a program do not stay what they were.
    fn round(&mut self, servers: &mut dyn Servers) -> Result<()> {
        for up in [true, false] {
            self.quiet.push(noted(servers, |_| Ok(()))?);
            let upgraded = noted(servers, |it| {
                self.pauses.push(it.upgrade(up)?);
                Ok(())
            })?;
            self.upgraded.push(upgraded);
        }
        for other in [true, false] {
            self.quiet.push(noted(servers, |_| Ok(()))?);
            self.loaded.push(noted(servers, |it| it.load(other))?);
        }
        Ok(())
    }

    fn rows(&self, name: &str, pauses: &mut Table, loads: &mut Table) {
        let of = |all: &[Calls], figure: fn(&Calls) -> f64| -> Vec<f64> {
            all.iter().map(figure).collect()
        };
        let longest = of(&self.upgraded, |it| it.longest);
        let without = of(&self.quiet, |it| it.longest);
        let most = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        let pause = [median(&self.pauses), most(&self.pauses)];
        let call = [median(&longest), most(&longest), median(&without)];
        pauses.row(name, &[&pause[..], &call].concat());
        let (quiet, loaded) = (of(&self.quiet, |it| it.p99), of(&self.loaded, |it| it.p99));
        // Of each round, the last two are those right before.
        let before: Vec<f64> = quiet
            .chunks(4)
            .flat_map(|round| &round[2..])
            .copied()
            .collect();
        let ratio = median(&pairs(&loaded, &before, |loaded, quiet| loaded / quiet));
        loads.row(name, &[median(&loaded), median(&quiet), ratio]);
    }
}

/// What callers wait for where each calls again after so many milliseconds.
fn pauses(name: &str, gap: u64, builds: &Builds, report: &mut Report) -> Result<()> {
    let columns = ["pause", "most", "call", "most", "without"];
    let title = format!("{name}: state changes, ms");
    let mut pauses = Table::new(&title, &columns, 2);
    let columns = ["p99", "without", "ratio"];
    let title = format!("{name}: code changes: p99 of calls, ms");
    let mut loads = Table::new(&title, &columns, 2);
    let load = |of| Load {
        servers: SERVERS,
        gap,
        idle: 0,
        of,
    };
    // In turns, so that a machine that is slow for a while is slow for all; but one at a time, since those that wait
    // would call as well.
    let mut seen: [Seen; 3] = Default::default();
    for round in 0..ROUNDS {
        eprintln!("{name}, round {round}");
        for (of, seen) in ["tasks", "threads"].into_iter().zip(&mut seen) {
            seen.round(&mut builds.start(load(of))?)?;
        }
        if let Some(mut otp) = Otp::start(load("processes"))? {
            seen[2].round(&mut otp)?;
        }
    }
    for (of, seen) in ["tasks", "threads", "Erlang"].into_iter().zip(&seen) {
        if !seen.quiet.is_empty() {
            seen.rows(of, &mut pauses, &mut loads);
        }
    }
    report.table(&pauses);
    report.table(&loads);
    Ok(())
}

fn purges(builds: &Builds, report: &mut Report) -> Result<()> {
    let columns = ["median", "most"];
    let mut table = Table::new("code is purged, ms", &columns, 2);
    for idle in IDLE {
        let load = Load {
            servers: 0,
            gap: 0,
            idle,
            of: "tasks",
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut here = builds.start(load)?;
        here.load(true)?;
        for round in 0..ROUNDS {
            here.load(round % 2 == 1)?;
            let begun = Instant::now();
            here.program.purge(Manner::Soft)?;
            ours.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let mut otp = Otp::start(load)?;
        for round in 0..ROUNDS {
            if let Some(otp) = &mut otp {
                otp.load(round % 2 == 0)?;
                theirs.push(otp.purge()?);
            }
        }
        for (of, times) in [("tasks", ours), ("processes of Erlang", theirs)] {
            if !times.is_empty() {
                let most = times.iter().copied().fold(0.0, f64::max);
                table.row(&format!("{idle} waiting {of}"), &[median(&times), most]);
            }
        }
    }
    report.table(&table);
    Ok(())
}

fn main() -> Result<()> {
    let parts: [(&str, Measure<Builds>); 3] = [
        ("paced", |builds, report| {
            pauses("10,000 calls a second", GAP, builds, report)
        }),
        ("saturated", |builds, report| {
            pauses("saturated", 0, builds, report)
        }),
        ("purges", purges),
    ];
    measure("servers", Builds::make, &parts)
}
