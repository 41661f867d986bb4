//! `cargo hotswap release show`: what is in a release, and its plan.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::about::{About, Part};
use super::{code, file};
use crate::output::{self, Format, plain, plain_lines};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// What `release show` takes.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The release: a file, or a folder into which one was unpacked
    #[arg(value_name = "RELEASE", value_hint = clap::ValueHint::AnyPath)]
    file: PathBuf,
    /// Show the plan of a way alone, as `release make --plan` takes it; without a number, that of the first one
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    plan: Option<usize>,
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
    /// The plans of its ways.
    plans: Vec<String>,
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
        let ways = 0..contents.about.ways.len();
        let plans = ways.filter_map(|way| contents.part(Part::Plan(way)));
        Ok(Self {
            format: FORMAT,
            signed: sealed.signature.is_some(),
            plans: plans
                .map(|plan| String::from_utf8_lossy(plan).into_owned())
                .collect(),
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
        for (at, way) in about.ways.iter().enumerate() {
            let number = at + 1;
            let text = format!("{number} from {} (build id {})", way.shown(), way.build_id);
            lines.push(("way", text));
            let mut all = |what, texts: &[String]| {
                for text in texts {
                    let whats = [what].into_iter().chain(std::iter::repeat(""));
                    let of_text = text.trim_end().lines().map(str::to_owned);
                    lines.extend(whats.zip(of_text));
                }
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
        for (_, text) in &mut lines {
            *text = plain(text);
        }
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
        (Some(way), _) => {
            let ways = summary.plans.len();
            let at = way.checked_sub(1);
            let plan = at.and_then(|at| summary.plans.into_iter().nth(at));
            let plan =
                plan.with_context(|| format!("the release has no way {way}: {ways} lead to it"))?;
            // A good one has nothing in it that is shown otherwise.
            plain_lines(&plan)
        }
        (None, Format::Json) => summary.json()?,
        (None, Format::Human) => {
            let lines = summary.lines().into_iter();
            let lines = lines.map(|(what, text)| format!("{what:>12} {text}\n"));
            let plans = summary.plans.iter();
            let plans = plans.map(|plan| format!("\n{}", plain_lines(plan)));
            lines.chain(plans).collect()
        }
    };
    output::print(&text).map(|()| code::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::about::tests::{about, way};

    #[test]
    fn what_a_release_says_stays_in_its_place() {
        let mut release = about("1.1.0", vec![way(&["1.0.0"])]);
        release.ways[0].restart = vec!["one:\n\u{1b}[2Jtwo".to_owned()];
        release.toolchain = "rustc\u{202e}\nmore".to_owned();
        let summary = Summary {
            format: FORMAT,
            signed: false,
            plans: Vec::new(),
            release,
        };
        let lines = summary.lines();
        let found =
            |what: &str, text: &str| lines.iter().any(|line| *line == (what, text.to_owned()));
        assert!(
            found("restart", "one:") && found("", "\\u001b[2Jtwo"),
            "{lines:?}"
        );
        assert!(found("compiler", "rustc\\u202e"), "{lines:?}");
    }
}
