//! What came of it: lines for people or of JSON, and the store's audit log.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result};
use schemars::JsonSchema;
use serde::Serialize;

use super::about::About;
use super::store::{Change, Store};
use super::{Refused, code};
use crate::output::{self, Format};

/// Version of the JSON form; raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// One release, or one program on the way between two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(
    title = "Line of `cargo hotswap release VERB --message-format=json`, for all verbs but `make` and `show`"
)]
pub struct ReleaseLine {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The verb.
    pub act: String,
    /// The name of the program; null if that was not found out.
    pub name: Option<String>,
    /// The release that the line is about.
    pub version: Option<String>,
    /// The process that the line is about; null if it is about the release alone.
    pub pid: Option<u32>,
    /// The exit code that this alone would have.
    pub code: i32,
    /// Something is otherwise than before.
    pub changed: bool,
    /// Of `list`: `permanent` (the program is started from it), `current` (some program runs it), `old` (it was
    /// permanent before) or `unpacked`.
    pub state: Option<String>,
    /// The release that the program is started from, after the act.
    pub permanent: Option<String>,
    /// Of `list`: processes that run it.
    pub running: Vec<u32>,
    /// Of `list`: the release from which a way leads to it.
    pub from: Option<String>,
    /// The name of the failure.
    pub failure: Option<String>,
    /// The failure in words.
    pub error: Option<String>,
    /// What people are told, and its first word.
    #[serde(skip)]
    pub(super) told: (&'static str, String),
}

impl ReleaseLine {
    /// It is as it was asked for.
    pub(super) fn done(about: &About, changed: bool, told: (&'static str, String)) -> Self {
        Self {
            name: Some(about.name.clone()),
            version: Some(about.version.clone()),
            changed,
            told,
            ..Self::default()
        }
    }

    /// It is not done.
    pub(super) fn failed(about: Option<&About>, error: &Error) -> Self {
        let refused = error.downcast_ref::<Refused>();
        let code = refused.map_or(code::FAILED, |refused| refused.code);
        Self {
            name: about.map(|about| about.name.clone()),
            version: about.map(|about| about.version.clone()),
            code,
            failure: Some(failure(code).to_owned()),
            error: Some(format!("{error:#}")),
            ..Self::default()
        }
    }

    /// The same about a process.
    pub(super) fn of(self, pid: Option<u32>) -> Self {
        Self { pid, ..self }
    }
}

/// What a failure is called by its code.
fn failure(code: i32) -> &'static str {
    match code {
        code::NOT_TRUSTED => "not-trusted",
        code::DOES_NOT_FIT => "does-not-fit",
        code::NOT_TAKEN => "not-taken",
        code::NONE => "none",
        code::NEEDS_RESTART => "needs-restart",
        code::IN_USE => "in-use",
        code::BUSY => "busy",
        _ => "failed",
    }
}

/// Tells what came of it; the first failure decides about the exit code.
///
/// # Errors
///
/// Output can't be written.
pub(super) fn tell(act: &str, outcome: Result<Vec<ReleaseLine>>, format: Format) -> Result<i32> {
    let lines = lines(act, outcome);
    for line in &lines {
        match (format, &line.error) {
            (Format::Json, _) => output::print(&(serde_json::to_string(line)? + "\n"))?,
            (Format::Human, Some(error)) => output::error(error),
            (Format::Human, None) => {
                let (verb, text) = &line.told;
                match verb.is_empty() {
                    true => output::print(&format!("{text}\n"))?,
                    false => output::status(verb, text),
                }
            }
        }
    }
    let failed = lines
        .iter()
        .map(|line| line.code)
        .find(|code| *code != code::DONE);
    Ok(failed.unwrap_or(code::DONE))
}

fn lines(act: &str, outcome: Result<Vec<ReleaseLine>>) -> Vec<ReleaseLine> {
    let mut lines = outcome.unwrap_or_else(|error| vec![ReleaseLine::failed(None, &error)]);
    for line in &mut lines {
        line.format = FORMAT;
        line.act = act.to_owned();
    }
    lines
}

/// Changes something in a store, tells of it and writes it down; what can't be written down is not done.
///
/// # Errors
///
/// Output can't be written.
pub(super) fn change(
    act: &str,
    store: Result<Store>,
    format: Format,
    change: impl FnOnce(&Store, &Change<'_>) -> Result<Vec<ReleaseLine>>,
) -> Result<i32> {
    let changed = store.and_then(|store| {
        let right = store.change()?;
        let mut log = Audit::open(&store)?;
        let mut lines = lines(act, change(&store, &right));
        let permanent = store.permanent()?;
        for line in &mut lines {
            line.permanent.clone_from(&permanent);
            log.write(line)?;
        }
        Ok(lines)
    });
    tell(act, changed, format)
}

/// A store's audit log.
struct Audit {
    file: File,
}

/// A line of it.
#[derive(Serialize)]
struct Entry<'a> {
    /// Milliseconds since 1970.
    time_ms: u64,
    /// The user.
    uid: u32,
    #[serde(flatten)]
    line: &'a ReleaseLine,
}

impl Audit {
    fn open(store: &Store) -> Result<Self> {
        let path = store.audit_log();
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(&path);
        let file = file.with_context(|| {
            format!(
                "nothing is done that the audit log can't tell: could not write {}",
                path.display()
            )
        })?;
        Ok(Self { file })
    }

    fn write(&mut self, line: &ReleaseLine) -> Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        let entry = Entry {
            time_ms: u64::try_from(ms).unwrap_or(u64::MAX),
            uid: rustix::process::geteuid().as_raw(),
            line,
        };
        let text = serde_json::to_string(&entry)? + "\n";
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data());
        written.context("it is done, and could not be written to the audit log")
    }
}
