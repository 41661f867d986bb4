//! `cargo hotswap release show`: what is in a release, and its plan.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::about::{About, Part};
use super::{code, file};
use crate::output::{self, Format};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// What `release show` takes.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The release: a file, or a folder into which one was unpacked
    #[arg(value_name = "RELEASE", value_hint = clap::ValueHint::AnyPath)]
    file: PathBuf,
    /// Show the plan alone, as `release make --plan` takes it
    #[arg(long)]
    plan: bool,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What a release says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The version of this form.
    format: u32,
    /// Whether there is a signature, good or not.
    signed: bool,
    /// Its text.
    release: About,
    /// The plan.
    plan: Option<String>,
}

impl Summary {
    /// The summary of these bytes.
    ///
    /// # Errors
    ///
    /// They are no release.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        let sealed = file::open(bytes)?;
        let contents = sealed.contents()?;
        let plan = contents.part(Part::Plan);
        Ok(Self {
            format: FORMAT,
            signed: sealed.signature.is_some(),
            plan: plan.map(|plan| String::from_utf8_lossy(plan).into_owned()),
            release: contents.about,
        })
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// It can't be written as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Its lines for people, each with what it tells of.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let about = &self.release;
        let mut lines = vec![
            ("release", format!("{} {}", about.name, about.version)),
            ("build id", about.build_id.to_string()),
        ];
        if let Some(way) = &about.way {
            lines.push(("from", format!("{} (build id {})", way.from, way.build_id)));
            let mut all = |what, texts: &[String]| {
                lines.extend(
                    texts
                        .iter()
                        .map(|text| (what, text.trim_end().replace('\n', "\n             "))),
                );
            };
            all("new code", &way.crates);
            all("new layout", &way.cells);
            all("restart", &way.restart);
            all("no way back", &way.no_way_back);
        }
        for part in &about.parts {
            let text = format!(
                "{} {} ({} bytes)",
                part.part.file(&about.name),
                part.digest.short(),
                part.bytes
            );
            lines.push(("file", text));
        }
        let compiler = about.toolchain.lines().next().unwrap_or_default();
        lines.push(("compiler", compiler.to_owned()));
        lines.push(("made by", about.tool.clone()));
        let signed = if self.signed {
            "yes, `release unpack` checks it"
        } else {
            "no"
        };
        lines.push(("signed", signed.to_owned()));
        lines
    }
}

/// Shows a release; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn run(args: &ShowArgs) -> Result<i32> {
    let read = file::bytes(&args.file).and_then(|bytes| Summary::of(&bytes));
    let summary = match read.with_context(|| format!("{} can't be shown", args.file.display())) {
        Ok(summary) => summary,
        Err(error) => {
            output::failure(&error);
            return Ok(code::NOT_TRUSTED);
        }
    };
    let text = match (args.plan, args.message_format) {
        (true, _) => summary
            .plan
            .context("the release has no plan: no way leads to it")?,
        (false, Format::Json) => summary.json()?,
        (false, Format::Human) => {
            let lines = summary.lines().into_iter();
            let lines = lines.map(|(what, text)| format!("{what:>12} {text}\n"));
            let plan = summary.plan.iter().map(|plan| format!("\n{plan}"));
            lines.chain(plan).collect()
        }
    };
    output::print(&text).map(|()| code::DONE)
}
