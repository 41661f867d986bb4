//! `cargo hotswap timings`: where the time of swaps went, as text and as a page.
//!
//! The numbers are those of one run of the tool, over all starts of the program in it. The page is
//! written to `hotswap/timings` in the target folder, twice: under a name with its time, and as
//! `hotswap-timings.html`, which is always the last one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::control::find::{Running, Target};
use crate::control::verbs::FAILED;
use crate::output::{self, Format};
use crate::session::journal::now_ms;
use crate::status::{RunStatus, Start, Swap};
use figures::Figures;

pub mod figures;
mod page;
mod text;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// The page that is always the last one.
const LATEST: &str = "hotswap-timings.html";

/// What `timings` takes.
#[derive(Debug, Clone, Args)]
pub struct TimingsArgs {
    #[command(flatten)]
    target: Target,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What `cargo hotswap timings --message-format=json` prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap timings --message-format=json`")]
pub struct TimingsReport {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// When the report was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// The program's name.
    pub name: String,
    /// Cargo's profile.
    pub profile: String,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// The page; null before it is written.
    pub page: Option<PathBuf>,
    /// Medians and the like.
    pub figures: Figures,
    /// The starts of the program.
    pub starts: Vec<Start>,
    /// All edits, oldest first.
    pub swaps: Vec<Swap>,
}

/// Prints the times of the run that is meant, and writes the page; the result is the exit code: 0,
/// or 1 if there is no such run or the page can't be written.
pub fn run(args: &TimingsArgs) -> i32 {
    tell(args).unwrap_or_else(|error| {
        output::failure(&error);
        FAILED
    })
}

fn tell(args: &TimingsArgs) -> Result<i32> {
    let found = Running::look(&args.target).select(&args.target)?;
    let Some(mut tool) = found.tool else {
        bail!(
            "{} has no times to show\n  \
             = why: the `cargo hotswap run` that started it kept them, and has ended",
            found.program
        );
    };
    let run = tool.status()?;
    let folder = run.target_directory.join("hotswap").join("timings");
    let mut report = report(run);
    let page = write(&report, &folder)?;
    report.page = Some(page.clone());
    match args.message_format {
        Format::Json => output::print(&(serde_json::to_string(&report)? + "\n"))?,
        Format::Human => output::print(&text::table(&report))?,
    };
    if args.message_format == Format::Human {
        output::status("Timing", &format!("report saved to {}", page.display()));
    }
    Ok(0)
}

fn report(run: RunStatus) -> TimingsReport {
    TimingsReport {
        format: FORMAT,
        at_ms: now_ms(),
        name: run.name,
        profile: run.profile,
        workspace: run.workspace,
        page: None,
        figures: Figures::of(&run.swaps, run.starts.len()),
        starts: run.starts,
        swaps: run.swaps,
    }
}

/// Writes the page under both names; the result is the one with its time.
fn write(report: &TimingsReport, folder: &Path) -> Result<PathBuf> {
    let context = || format!("could not write the report to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(context)?;
    let html = page::html(report)?;
    let dated = folder.join(format!("hotswap-timings-{}.html", report.at_ms));
    std::fs::write(&dated, &html).with_context(context)?;
    // A browser that has the last one open must never see half of this one.
    let new = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    std::fs::write(new.path(), &html).with_context(context)?;
    let latest = folder.join(LATEST);
    new.persist(&latest)
        .map_err(|error| error.error)
        .with_context(context)?;
    Ok(dated)
}
