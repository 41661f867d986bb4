//! `cargo hotswap doctor`: what of a set-up keeps edits from going live, and what to change.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::output::{self, Format};
use crate::selection::Selection;
use checks::{Finding, Status};

mod checks;
mod facts;
mod gather;
#[cfg(test)]
mod tests;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// What was asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// What `run` would be given
    #[command(flatten)]
    pub selection: Selection,
    /// Show the facts as well, as JSON
    #[arg(long)]
    pub facts: bool,
    /// How to print
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    pub message_format: Format,
}

#[derive(Serialize)]
struct Line<'a> {
    format: u32,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Checks the set-up; the exit code is 1 if there is a problem, 0 if there are warnings at most.
///
/// # Errors
///
/// The findings can't be printed.
pub fn run(options: &Options) -> Result<i32> {
    let facts = gather::gather(&options.selection);
    let findings = checks::all(&facts);
    match options.message_format {
        Format::Json => {
            for finding in &findings {
                let line = Line {
                    format: FORMAT,
                    finding,
                };
                output::print(&(serde_json::to_string(&line)? + "\n"))?;
            }
        }
        Format::Human => output::print(&text(&findings))?,
    }
    if options.facts {
        output::print(&(facts.raw().to_string() + "\n"))?;
    }
    let worst = findings.iter().map(|finding| finding.status).max();
    Ok(i32::from(worst == Some(Status::Problem)))
}

/// The findings for people.
fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (colour, verb) = match finding.status {
            Status::Ok => ("\x1b[1;32m", "ok"),
            Status::Warning => ("\x1b[1;33m", "warning"),
            Status::Problem => ("\x1b[1;31m", "problem"),
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{colour}{verb:>12}\x1b[0m {}: {}",
            finding.check, finding.message
        );
        if let Some(help) = &finding.help {
            let _ = writeln!(text, "{:>12} = help: {help}", "");
        }
    }
    let count = |status| {
        findings
            .iter()
            .filter(|finding| finding.status == status)
            .count()
    };
    let named = |count: usize, one: &str| match count {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let _ = writeln!(
        text,
        "{} and {}",
        named(count(Status::Problem), "problem"),
        named(count(Status::Warning), "warning")
    );
    text
}
