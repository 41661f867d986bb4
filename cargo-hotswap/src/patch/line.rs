//! What came of it in one program: a line for people, or one of JSON.

use std::time::Duration;

use anyhow::Result;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::order::PatchReport;
use schemars::JsonSchema;
use serde::Serialize;

use super::forms::Applied;
use super::{FORMAT, code};
use crate::output::{self, Format, plain};

/// What came of it in one program.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(
    title = "Line of `cargo hotswap patch apply --message-format=json`, of `patch revert` and `patch list`"
)]
pub struct Line {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    format: u32,
    /// The program; null if there is none.
    pub(super) name: Option<String>,
    /// Its process id.
    pid: Option<u32>,
    /// The exit code that this alone would have.
    pub(super) code: i32,
    /// The code that runs is another than before.
    changed: bool,
    /// The version that is current.
    version: Option<u64>,
    /// The patch that it was about.
    pub(super) patch: Option<Applied>,
    /// Those that are applied, the oldest first.
    pub(super) applied: Vec<Applied>,
    /// Entries that lead to new code, of a patch that was loaded.
    entries: Vec<String>,
    /// The name of the failure.
    pub(super) failure: Option<String>,
    /// The failure in words.
    pub(super) error: Option<String>,
}

impl Line {
    pub(super) fn done(program: Option<(String, Option<u32>)>, report: PatchReport) -> Self {
        let prepared = report.prepared.unwrap_or_default();
        Self {
            changed: report.changed,
            version: Some(report.version),
            patch: report.subject.map(Applied::from),
            applied: report.applied.into_iter().map(Applied::from).collect(),
            entries: [prepared.replaced, prepared.added].concat(),
            error: None,
            ..Self::failed(program, code::DONE, None, String::new())
        }
    }

    pub(super) fn failed(
        program: Option<(String, Option<u32>)>,
        code: i32,
        failure: Option<ErrorCode>,
        error: String,
    ) -> Self {
        let (name, pid) = program.unzip();
        Self {
            format: FORMAT,
            name,
            pid: pid.flatten(),
            code,
            changed: false,
            version: None,
            patch: None,
            applied: Vec::new(),
            entries: Vec::new(),
            failure: failure.map(ErrorCode::name),
            error: Some(error),
        }
    }

    pub(super) fn program(&self) -> String {
        let name = self.name.as_deref().unwrap_or("the program");
        match self.pid {
            Some(pid) => format!("{name} (pid {pid})"),
            None => name.to_owned(),
        }
    }
}

/// The exit code for a program's refusal.
pub(crate) fn code_of(failure: ErrorCode) -> i32 {
    match failure {
        ErrorCode::NoKey
        | ErrorCode::NotSigned
        | ErrorCode::BadSignature
        | ErrorCode::PatchDamaged
        | ErrorCode::BadManifest => code::NOT_TRUSTED,
        ErrorCode::WrongBase
        | ErrorCode::WrongHost
        | ErrorCode::WrongStack
        | ErrorCode::PatchExpired
        | ErrorCode::PatchReplayed
        | ErrorCode::PatchInMemory
        | ErrorCode::PatchStays
        | ErrorCode::NotApplied => code::DOES_NOT_FIT,
        ErrorCode::BadRequest | ErrorCode::Internal | ErrorCode::Unknown => code::FAILED,
        _ => code::NOT_TAKEN,
    }
}

pub(super) fn tell(line: &Line, format: Format, human: fn(&Line)) -> Result<()> {
    match (format, &line.error) {
        (Format::Json, _) => output::print(&(serde_json::to_string(line)? + "\n"))?,
        (Format::Human, Some(error)) => match &line.name {
            Some(_) => output::error(&format!("{}: {error}", line.program())),
            None => output::error(error),
        },
        (Format::Human, None) => human(line),
    }
    Ok(())
}

pub(super) fn tell_applied(line: &Line) {
    let Some(patch) = &line.patch else { return };
    let until = until(patch);
    let text = match line.changed {
        true => format!(
            "`{}` to {}: version {} ({}){until}",
            patch.name,
            line.program(),
            patch.version,
            line.entries.join(", ")
        ),
        false => format!(
            "`{}` was applied to {} already{until}",
            patch.name,
            line.program()
        ),
    };
    output::status("Applied", &text);
}

pub(super) fn tell_kept(line: &Line) {
    let Some(patch) = &line.patch else { return };
    let text = format!(
        "`{}` in {}: it held{}",
        patch.name,
        line.program(),
        until(patch)
    );
    output::status("Kept", &text);
}

pub(super) fn tell_dry_run(line: &Line) {
    let Some(patch) = &line.patch else { return };
    let entries = match line.entries.is_empty() {
        true => "it is applied already".to_owned(),
        false => line.entries.join(", "),
    };
    let text = format!("{} would take `{}` ({entries})", line.program(), patch.name);
    output::status("Checked", &text);
}

pub(super) fn tell_reverted(line: &Line) {
    let text = match (&line.patch, line.changed) {
        (Some(patch), true) => format!("`{}` in {}", patch.name, line.program()),
        _ => format!("nothing: it is not applied to {}", line.program()),
    };
    output::status("Reverted", &text);
}

pub(super) fn tell_list(line: &Line) {
    let mut text = format!("{}: ", line.program());
    match line.applied.is_empty() {
        true => text += "no patches\n",
        false => text += "\n",
    }
    for patch in &line.applied {
        text += &format!(
            "  version {}: `{}` {} (sequence {}){}\n",
            patch.version,
            plain(&patch.name),
            patch.digest.short(),
            patch.sequence,
            until(patch)
        );
    }
    // Where it can't be written, nobody reads it.
    let _ = output::print(&text);
}

fn until(patch: &Applied) -> String {
    match patch.expires_ms {
        Some(ms) => {
            let left = Duration::from_secs(ms.div_ceil(1000));
            format!(", for {}", humantime::format_duration(left))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_codes_that_stay() {
        for (failure, expected) in [
            (ErrorCode::BadSignature, 10),
            (ErrorCode::NoKey, 10),
            (ErrorCode::PatchDamaged, 10),
            (ErrorCode::WrongBase, 11),
            (ErrorCode::PatchReplayed, 11),
            (ErrorCode::StateBusy, 12),
            (ErrorCode::LoadFailed, 12),
            (ErrorCode::Unknown, 1),
        ] {
            assert_eq!(code_of(failure), expected, "{failure:?}");
        }
    }
}
