//! Times an edit from the save until the running program answers with it, under several tools.
//!
//! Each tool has its own copy of the package, written as its documentation wants it, and all run at
//! once. In every round each of them gets the same edit, in turns that begin with another one each
//! time. [`Contender`] says how they are asked. Bare rustc compiles what `cargo hotswap` was given.
//!
//! `dx`, the tool of subsecond, takes part where it is on the path and of the version that
//! [`Manner::Subsecond`] names. A tool that does not bring an edit within half a minute is left out
//! from there on, and the report says so.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hotswap_bench::figures::{Report, Table, median, p95, pairs};
use hotswap_bench::floor::{self, Floor, Link};
use hotswap_bench::others::packages::{Manner, redis, redis_in_one_crate, tiny};
use hotswap_bench::others::{Contender, Upon, cargo_build, dx_serve, port, program};
use hotswap_bench::tool;
use hotswap_bench::work::Work;

/// Edits that are measured, after the first.
const EDITS: usize = 20;

/// After so long, [`FEWEST`] edits suffice.
const BUDGET: Duration = Duration::from_secs(180);
const FEWEST: usize = 5;

/// The name of this project's tool in the report.
const HOTSWAP: &str = "cargo hotswap run";

/// A package to compare with, and how it is written for each tool.
struct Subject {
    name: &'static str,
    executable: &'static str,
    package: fn(Manner) -> Result<Work>,
    /// Whether a library can be split off for hot-lib-reloader.
    splits: bool,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "tiny",
        executable: "tiny",
        package: tiny,
        splits: true,
    },
    Subject {
        name: "mini-redis",
        executable: "mini-redis-server",
        package: redis,
        splits: false,
    },
    Subject {
        name: "mini-redis-one-crate",
        executable: "mini-redis-server",
        package: redis_in_one_crate,
        splits: false,
    },
];

/// What one tool needed for each edit.
struct Times {
    name: String,
    ms: Vec<f64>,
}

impl Subject {
    fn hotswap(&self, tool: &Path) -> Result<Contender> {
        let (work, port) = ((self.package)(Manner::Hotswap)?, port()?);
        let mut command = tool::run(tool, &work, &["--bin", self.executable]);
        command.args(["--", "--port", &port.to_string()]);
        Contender::watched(HOTSWAP, work, port, command)
    }

    fn subsecond(&self) -> Result<Contender> {
        let (work, port) = ((self.package)(Manner::Subsecond)?, port()?);
        let command = dx_serve(&work, self.executable, port)?;
        Contender::watched("dx serve --hot-patch (subsecond)", work, port, command)
    }

    fn hot_lib(&self, debounce: u32) -> Result<Contender> {
        let (work, port) = ((self.package)(Manner::HotLib(debounce))?, port()?);
        let commands = (
            cargo_build(&work, &["--workspace"]),
            program(&work, self.executable, port),
        );
        let library = cargo_build(&work, &["-p", "lib"]);
        let name = format!("hot-lib-reloader, debounce {debounce} ms");
        Contender::built(&name, work, port, commands, |_, _| Upon::Build(library))
    }

    fn restarted(&self) -> Result<Contender> {
        let (work, port) = ((self.package)(Manner::Plain)?, port()?);
        let commands = (
            cargo_build(&work, &["--bin", self.executable]),
            program(&work, self.executable, port),
        );
        Contender::built(
            "cargo build, and a restart",
            work,
            port,
            commands,
            Upon::Restart,
        )
    }

    /// This project's tool first, then all others that start; those that don't are reported.
    fn contenders(&self, tool: &Path, report: &mut Report) -> Result<Vec<Contender>> {
        let mut contenders = vec![self.hotswap(tool)?];
        let mut others: Vec<(&str, Result<Contender>)> = Vec::new();
        if installed("dx") {
            others.push(("dx", self.subsecond()));
        } else {
            report.line("  dx is left out: it is not on the path");
        }
        if self.splits {
            for debounce in [500, 20] {
                others.push(("hot-lib-reloader", self.hot_lib(debounce)));
            }
        } else {
            report.line(
                "  hot-lib-reloader is left out: a library of async code would have a tokio of its own",
            );
        }
        others.push(("cargo build", self.restarted()));
        for (name, contender) in others {
            match contender {
                Ok(contender) => contenders.push(contender),
                Err(error) => report.line(&format!("  {name} is left out: {}", short(&error))),
            }
        }
        Ok(contenders)
    }

    fn bench(&self, tool: &Path, report: &mut Report) -> Result<()> {
        let contenders = self.contenders(tool, report)?;
        let mut floors = floors(&contenders[0].work, self.executable)?;
        let times = measure(contenders, &mut floors, report)?;
        tell(report, self.name, &times);
        Ok(())
    }
}

fn installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The first line of an error. The rest is what a tool printed, which is not for the report.
fn short(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    eprintln!("{text}");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Bare rustc for the edits of this project's tool, linking and not linking.
fn floors(work: &Work, executable: &str) -> Result<[(Floor, Times); 2]> {
    let deps = work.target.join("debug/deps");
    let units = floor::units(&deps, &executable.replace('-', "_"))?;
    let file = std::fs::canonicalize(work.file()).context("the edited file is gone")?;
    let floor = |link, folder: &str, name: &str| -> Result<_> {
        let floor = Floor::new(&units, &file, link, &work.target.with_file_name(folder))?;
        let (name, ms) = (name.to_owned(), Vec::new());
        Ok((floor, Times { name, ms }))
    };
    Ok([
        floor(Link::Plain, "floor", "bare rustc, linked")?,
        floor(Link::Left, "floor-unlinked", "bare rustc, not linked")?,
    ])
}

/// All edits under all tools; the first is this project's.
fn measure(
    contenders: Vec<Contender>,
    floors: &mut [(Floor, Times); 2],
    report: &mut Report,
) -> Result<Vec<Times>> {
    let mut times: Vec<Times> = Vec::new();
    let mut running = Vec::new();
    for contender in contenders {
        let (name, ms) = (contender.name.clone(), Vec::new());
        times.push(Times { name, ms });
        running.push(Some(contender));
    }
    let begun = Instant::now();
    for number in 1..=EDITS + 1 {
        if number > FEWEST + 1 && begun.elapsed() > BUDGET {
            break;
        }
        for turn in 0..running.len() {
            let at = (number + turn) % running.len();
            let Some(contender) = &mut running[at] else {
                continue;
            };
            match contender.edit(number) {
                Ok(ms) => times[at].ms.push(ms),
                Err(error) if at == 0 => return Err(error),
                Err(error) => {
                    report.line(&format!("  ends early: {}", short(&error)));
                    running[at] = None;
                }
            }
            if at == 0 {
                for (floor, times) in &mut *floors {
                    times.ms.push(floor.compile()?);
                }
            }
        }
    }
    let floors = floors.iter_mut().map(|(_, times)| Times {
        name: times.name.clone(),
        ms: std::mem::take(&mut times.ms),
    });
    times.extend(floors);
    Ok(times)
}

fn tell(report: &mut Report, name: &str, all: &[Times]) {
    let headings = ["first", "median", "p95"];
    let title = format!("{name}, {} edits (ms)", all[0].ms.len() - 1);
    let mut table = Table::new(&title, &headings, 1);
    // Pair by pair, so that what the machine does meanwhile falls out.
    let mut ratios = Table::new(&format!("{name} (ratio)"), &headings, 2);
    for times in all {
        // Of a tool that failed at once there is nothing to say but that.
        if times.ms.len() > FEWEST {
            table.row(&times.name, &row(&times.ms));
            let ratio = pairs(&times.ms, &all[0].ms, |other, own| other / own);
            ratios.row(&times.name, &row(&ratio));
        }
    }
    report.line("");
    report.table(&table);
    report.table(&ratios);
}

/// First, median and 95th percentile of the rest.
fn row(values: &[f64]) -> [f64; 3] {
    [values[0], median(&values[1..]), p95(&values[1..])]
}

fn main() -> Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let tool = tool::build()?;
    // `cargo bench -p hotswap-bench --bench others -- tiny` measures that one alone.
    let named = |name: &str| std::env::args().any(|arg| arg == name);
    let all = !SUBJECTS.iter().any(|subject| named(subject.name));
    let mut report = Report::new("others");
    for subject in &SUBJECTS {
        if all || named(subject.name) {
            subject.bench(&tool, &mut report)?;
        }
    }
    Ok(report.finish()?)
}
