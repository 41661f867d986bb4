//! Times an edit from the save until it is live, against bare rustc for the same edit.
//!
//! For each package and kind of edit the program is started by the tool. Each edit is saved, the
//! tool's `swapped` event is awaited, and then the [floor](hotswap_bench::floor) compiles the same
//! sources, linking and not linking, while the tool waits for the next edit. The first edit stands
//! apart. Differences and ratios are taken edit by edit, against both: rustc that links is what a new
//! executable costs, rustc that does not is the least that any tool can need.
//!
//! `phases` are the tool's own figures; `rest` is what they don't cover: from the save until the
//! tool sees it, and from the swap until its event is read here.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use hotswap_bench::figures::{Report, Table, median, p95, pairs};
use hotswap_bench::floor::{self, Floor, Link};
use hotswap_bench::large::{CRATES, Place, large};
use hotswap_bench::mini_redis::{Server, mini_redis};
use hotswap_bench::tiny::tiny;
use hotswap_bench::tool::{self, PHASES, phases};
use hotswap_bench::work::{Edit, Work};
use hotswap_tests::Session;

/// Edits that are measured, after the first.
const EDITS: usize = 20;

/// Milliseconds of each edit, the first included.
#[derive(Default)]
struct Times {
    tool: Vec<f64>,
    plain: Vec<f64>,
    unlinked: Vec<f64>,
    phases: Vec<[f64; PHASES.len()]>,
}

/// The two floors for one package.
struct Floors {
    plain: Floor,
    unlinked: Floor,
}

impl Floors {
    fn new(work: &Work, executable: &str) -> Result<Self> {
        let units = floor::units(&work.target.join("debug/deps"), executable)?;
        let file = std::fs::canonicalize(work.file()).context("the edited file is gone")?;
        let floor = |link, name: &str| {
            let folder = work.target.with_file_name(name);
            Floor::new(&units, &file, link, &folder)
        };
        Ok(Self {
            plain: floor(Link::Plain, "floor")?,
            unlinked: floor(Link::Left, "floor-unlinked")?,
        })
    }
}

/// Edits, waits, and compiles the same by both floors.
fn measure(
    session: &mut Session,
    work: &Work,
    floors: &mut Floors,
    edit: Edit,
    mut check: impl FnMut(&mut Session, usize) -> Result<()>,
) -> Result<Times> {
    let mut times = Times::default();
    for number in 1..=EDITS + 1 {
        let begun = Instant::now();
        work.save(edit, number)?;
        let event = session.await_swapped()?;
        times.tool.push(begun.elapsed().as_secs_f64() * 1e3);
        times.phases.push(phases(&event)?);
        check(session, number)?;
        // In turns, so that neither always finds the files just read by the other.
        if number % 2 == 0 {
            times.plain.push(floors.plain.compile()?);
            times.unlinked.push(floors.unlinked.compile()?);
        } else {
            times.unlinked.push(floors.unlinked.compile()?);
            times.plain.push(floors.plain.compile()?);
        }
    }
    Ok(times)
}

fn tell(report: &mut Report, name: &str, edit: Edit, times: &Times) {
    let edit = match edit {
        Edit::InPlace => "no line shifts",
        Edit::InsertLine => "one line inserted",
    };
    let mut table = Table::new(
        &format!("{name}, {edit} (ms)"),
        &["first", "median", "p95"],
        1,
    );
    table.row("bare rustc, linked", &row(&times.plain));
    table.row("bare rustc, not linked", &row(&times.unlinked));
    table.row("tool", &row(&times.tool));
    let floors = [("linked", &times.plain), ("not linked", &times.unlinked)];
    for (name, floor) in floors {
        let over = pairs(&times.tool, floor, |tool, floor| tool - floor);
        table.row(&format!("tool over rustc, {name}"), &row(&over));
    }
    add_phases(&mut table, times);
    report.table(&table);
    for (name, floor) in floors {
        let ratio = pairs(&times.tool, floor, |tool, floor| tool / floor);
        let [first, median, p95] = row(&ratio);
        report.line(&format!(
            "  tool / rustc, {name}: first {first:.2}, median {median:.2}, p95 {p95:.2}"
        ));
    }
    let first = times.tool[0] / times.tool[9];
    report.line(&format!("  first / tenth: {first:.2}\n"));
}

/// First, median and 95th percentile of the rest.
fn row(values: &[f64]) -> [f64; 3] {
    [values[0], median(&values[1..]), p95(&values[1..])]
}

fn add_phases(table: &mut Table, times: &Times) {
    for (at, phase) in PHASES.iter().enumerate() {
        let values: Vec<f64> = times.phases.iter().map(|phases| phases[at]).collect();
        table.row(&format!("  {phase}"), &row(&values));
    }
    let sums: Vec<f64> = times
        .phases
        .iter()
        .map(|phases| phases.iter().sum())
        .collect();
    let rest = pairs(&times.tool, &sums, |tool, phases| tool - phases);
    table.row("  rest", &row(&rest));
}

fn bench_tiny(tool: &Path) -> Result<()> {
    let mut report = Report::new("edit_to_live-tiny");
    for edit in [Edit::InPlace, Edit::InsertLine] {
        let work = tiny()?;
        let mut session = Session::spawn(tool::run(tool, &work, &[]))?;
        session.await_ready()?;
        let mut floors = Floors::new(&work, "tiny")?;
        let times = measure(&mut session, &work, &mut floors, edit, |session, number| {
            session.ask("?", &Work::number(number).to_string())
        })?;
        session.quit()?;
        tell(&mut report, "tiny", edit, &times);
    }
    Ok(report.finish()?)
}

fn bench_mini_redis(tool: &Path) -> Result<()> {
    let mut report = Report::new("edit_to_live-mini-redis");
    for edit in [Edit::InPlace, Edit::InsertLine] {
        let work = mini_redis()?;
        let mut server = Server::start(&work, tool)?;
        let mut floors = Floors::new(&work, "mini_redis_server")?;
        let times = measure(&mut server.session, &work, &mut floors, edit, |_, _| Ok(()))?;
        server.end()?;
        tell(&mut report, "mini-redis", edit, &times);
    }
    Ok(report.finish()?)
}

/// The share of the tool is what it takes beside the compiler, which depends on no crate but those
/// that are compiled.
fn bench_large(tool: &Path) -> Result<()> {
    let mut report = Report::new("edit_to_live-large");
    for place in [Place::Top, Place::Bottom] {
        let (work, lines) = large(place)?;
        let mut session = Session::spawn(tool::run(tool, &work, &[]))?;
        session.await_ready()?;
        let mut times = Times::default();
        for number in 1..=EDITS + 1 {
            let begun = Instant::now();
            work.save(Edit::InPlace, number)?;
            let event = session.await_swapped()?;
            times.tool.push(begun.elapsed().as_secs_f64() * 1e3);
            times.phases.push(phases(&event)?);
        }
        session.quit()?;
        let title = format!(
            "{} crates, {lines} lines, {} (ms)",
            CRATES + 1,
            place.name()
        );
        let mut table = Table::new(&title, &["first", "median", "p95"], 1);
        table.row("tool", &row(&times.tool));
        add_phases(&mut table, &times);
        let compile: Vec<f64> = times.phases.iter().map(|phases| phases[1]).collect();
        let share = pairs(&times.tool, &compile, |tool, compile| tool - compile);
        table.row("the tool's own share", &row(&share));
        report.table(&table);
    }
    Ok(report.finish()?)
}

/// Measures one package with a tool.
type Bench = fn(&Path) -> Result<()>;

fn main() -> Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let tool = tool::build()?;
    let benches: [(&str, Bench); 3] = [
        ("tiny", bench_tiny),
        ("mini-redis", bench_mini_redis),
        ("large", bench_large),
    ];
    // `cargo bench -p hotswap-bench --bench edit_to_live -- tiny` measures that one alone.
    let named = |name: &str| std::env::args().any(|arg| arg == name);
    let all = !benches.iter().any(|(name, _)| named(name));
    for (name, bench) in benches {
        if all || named(name) {
            bench(&tool)?;
        }
    }
    Ok(())
}
