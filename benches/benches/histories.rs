//! Makes the edits of published programs' histories live, one by one, and counts what became of them.
//!
//! Each refusal is listed by its kind, with its first words, and printed in full, so that somebody can say
//! whether the edit was harmless.
//! `HOTSWAP_HISTORY` names a program to try it alone.

use std::collections::BTreeMap;

use hotswap_bench::figures::{Report, Table};
use hotswap_bench::histories::{Fate, PROGRAMS, Release};
use hotswap_bench::tool;

/// The columns of the table.
const COLUMNS: [&str; 6] = ["edits", "live", "old", "no code", "refused", "failed"];

fn main() -> anyhow::Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let tool = tool::build()?;
    let only = std::env::var("HOTSWAP_HISTORY").ok();
    let mut report = Report::new("histories");
    let mut table = Table::new("edits from histories", &COLUMNS, 0);
    let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for program in PROGRAMS {
        if only.as_ref().is_some_and(|name| name != program.name) {
            continue;
        }
        for pair in program.releases.windows(2) {
            let name = format!("{} {} to {}", program.name, pair[0], pair[1]);
            eprintln!("{name}");
            let mut release = Release::start(&program, pair[0], pair[1], &tool)?;
            let mut fates: BTreeMap<&str, u32> = BTreeMap::new();
            for piece in release.pieces.clone() {
                let fate = release.try_edit(&piece)?;
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
                        all.push(format!("{name}, {place}: {first}"));
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
