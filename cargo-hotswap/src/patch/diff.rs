//! `cargo hotswap patch diff`: what two patch files do differently.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use similar::{ChangeTag, TextDiff};

use super::show::Summary;
use super::{code, file};
use crate::output;

/// What `patch diff` takes.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// A patch file
    #[arg(value_name = "A", value_hint = clap::ValueHint::FilePath)]
    one: PathBuf,
    /// Another one
    #[arg(value_name = "B", value_hint = clap::ValueHint::FilePath)]
    other: PathBuf,
}

/// Shows what differs; the result is the exit code: 0 if nothing does, 1 if something does.
///
/// # Errors
///
/// A file can't be read.
pub fn run(args: &DiffArgs) -> Result<i32> {
    let texts = [&args.one, &args.other].map(|path| {
        let bytes = file::bytes(path)?;
        let (container, contents) = file::read(path, &bytes)?;
        let mut text: String = Summary::of(&contents, &container, bytes.len())
            .lines()
            .into_iter()
            .map(|(what, line)| format!("{what:>12} {line}\n"))
            .collect();
        for (index, image) in contents.patch.images().enumerate() {
            let _ = writeln!(text, "{:>12} {index}: build id {}", "image", image.build_id);
        }
        anyhow::Ok(text)
    });
    let [one, other] = texts;
    let (one, other) = (one?, other?);
    let diff = TextDiff::from_lines(&one, &other);
    let changed = diff
        .iter_all_changes()
        .filter(|change| change.tag() != ChangeTag::Equal);
    let lines: Vec<String> = changed
        .map(|change| format!("{}{change}", change.tag()))
        .collect();
    output::print(&lines.concat())?;
    Ok(if lines.is_empty() {
        code::DONE
    } else {
        code::FAILED
    })
}
