//! Makes the edits of published programs' histories live, one by one, and counts what became of them.
//!
//! A refusal is printed with its words, so that somebody can say whether the edit was harmless.
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
                    Fate::Refused(words) => {
                        println!("refused: {name}, {place}\n{words}");
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
    report.finish()?;
    Ok(())
}
