//! Makes the edits of published programs' histories live, one by one, and counts what became of them.
//!
//! Each refusal is listed by its kind, with its first words, and printed in full, so that somebody can say
//! whether the edit was harmless.
//! `HOTSWAP_HISTORY` names a program to try it alone. `HOTSWAP_HISTORY_EDITS` says how many edits to try between two
//! releases, where it shall not be all of them: they are taken from all over the sources. `HOTSWAP_HISTORY_TOOL` names
//! a tool that is built already, since no time is measured.

use std::collections::BTreeMap;
use std::path::Path;

use hotswap_bench::figures::{Report, Table};
use hotswap_bench::histories::{Fate, PROGRAMS, Program, Release};
use hotswap_bench::tool;

/// The columns of the table.
const COLUMNS: [&str; 6] = ["edits", "live", "old", "no code", "refused", "failed"];

fn main() -> anyhow::Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let tool = match std::env::var_os("HOTSWAP_HISTORY_TOOL") {
        Some(tool) => tool.into(),
        None => tool::build()?,
    };
    let only = std::env::var("HOTSWAP_HISTORY").ok();
    let most = match std::env::var("HOTSWAP_HISTORY_EDITS") {
        Ok(most) => most.parse()?,
        Err(_) => usize::MAX,
    };
    for program in PROGRAMS {
        if only.as_ref().is_none_or(|name| name == program.name) {
            try_program(&program, most, &tool)?;
        }
    }
    Ok(())
}

/// Tries the edits between each two releases of a program, and reports on it.
fn try_program(program: &Program, most: usize, tool: &Path) -> anyhow::Result<()> {
    let mut report = Report::new(&format!("histories-{}", program.name));
    let mut table = Table::new("edits from its history", &COLUMNS, 0);
    let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in program.releases.windows(2) {
        let name = format!("{} {} to {}", program.name, pair[0], pair[1]);
        eprintln!("{name}");
        let mut release = Release::start(program, pair[0], pair[1], tool)?;
        let mut fates: BTreeMap<&str, u32> = BTreeMap::new();
        let pieces = release.pieces.clone();
        let step = pieces.len().div_ceil(most).max(1);
        for piece in pieces.iter().step_by(step) {
            let fate = release.try_edit(piece)?;
            let place = format!("{}:{}", piece.file.display(), piece.lines.0 + 1);
            let column = match &fate {
                Fate::Live => "live",
                Fate::PartlyOld => "old",
                Fate::NoCode => "no code",
                Fate::NoEdit => continue,
                Fate::Refused { kind, words } => {
                    println!("refused: {name}, {place}\n{words}");
                    let first = words.lines().next().unwrap_or_default();
                    let all = refusals.entry(kind.clone()).or_default();
                    all.push(format!("{}, {place}: {first}", pair[0]));
                    "refused"
                }
                Fate::Failed(words) => {
                    println!("failed: {name}, {place}\n{words}");
                    "failed"
                }
            };
            eprintln!("  {place} {column}");
            *fates.entry("edits").or_default() += 1;
            *fates.entry(column).or_default() += 1;
        }
        let counts = COLUMNS.map(|column| fates.get(column).copied().unwrap_or(0));
        table.row(&name, &counts.map(f64::from));
    }
    report.table(&table);
    list(&mut report, &refusals);
    report.finish()?;
    Ok(())
}

/// Lists all refusals, by kind.
fn list(report: &mut Report, refusals: &BTreeMap<String, Vec<String>>) {
    if refusals.is_empty() {
        report.line("No edit was refused.");
    }
    for (kind, all) in refusals {
        report.line(&format!("refused for `{kind}`: {}", all.len()));
        for one in all {
            report.line(&format!("  {one}"));
        }
    }
}
