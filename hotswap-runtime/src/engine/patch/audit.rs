//! The audit log: every act on patches as one line of JSON, in a file that only grows.
//!
//! It is also where a process learns how high the sequence of patches for this build has been, before it
//! was started.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::audit::{BEGUN, DONE, Line, Past, UNCHANGED};
use hotswap_protocol::patch::order::{AppliedPatch, PatchReport};

use super::{Who, stack};
use crate::engine::control::Failure;
use crate::engine::listen;
use crate::engine::loaded;
use crate::sync::{Mutex, lock};

/// The longest line that is read back, in bytes.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// Where the log is; none if nobody asked for one.
static PATH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Writes to this file from now on, and takes from it how far patches have come.
///
/// # Errors
///
/// The file can't be read or written, or others can.
pub(crate) fn set(path: &Path) -> Result<(), String> {
    let text = |error: io::Error| format!("audit log `{}`: {error}", path.display());
    // The program may go to another folder, as services do.
    let absolute = std::path::absolute(path).map_err(text)?;
    let file = open(&absolute).map_err(text)?;
    let past = past(file, &base()).map_err(text)?;
    stack::raise_floor(past.floor());
    stack::latest(past.latest());
    *lock(&PATH) = Some(absolute);
    Ok(())
}

fn base() -> String {
    let executable = loaded::executable().and_then(|file| file.build_id.as_ref());
    executable.map_or_else(String::new, |id| id.as_str().to_owned())
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    let user = listen::user();
    if !metadata.is_file() || metadata.uid() != user || metadata.mode() & 0o022 != 0 {
        let text = "it is no file of this user's that others can't write";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(file)
}

/// Ends a line that was cut off when somebody ended the process or the disk was full.
fn end_line(file: &mut File) -> io::Result<()> {
    let bytes = file.metadata()?.size();
    let mut last = [b'\n'];
    if bytes > 0 {
        file.read_exact_at(&mut last, bytes - 1)?;
    }
    match last {
        [b'\n'] => Ok(()),
        _ => file.write_all(b"\n"),
    }
}

/// What was done to this build before, and when.
fn past(file: File, base: &str) -> io::Result<Past> {
    let mut reader = BufReader::new(file);
    let mut past = Past::default();
    loop {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut reader, MAX_LINE_BYTES);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(past);
        }
        past.read(&line, base);
    }
}

/// Something that is under way, and will be written down.
#[derive(Debug)]
pub(crate) struct Act {
    line: Line,
    file: Option<File>,
    /// It has begun before, and failed, and both stand there.
    again: bool,
}

impl Act {
    /// Opens the log, if there is one: what can't be written down is not done.
    pub(super) fn begin(act: &str, who: Who) -> Result<Self, Failure> {
        let path = lock(&PATH).clone();
        let file = path.map(|path| {
            let opened = open(&path).and_then(|mut file| end_line(&mut file).map(|()| file));
            opened.map_err(unwritable)
        });
        Ok(Self {
            file: file.transpose()?,
            ..Self::unwritten(act, who)
        })
    }

    /// Something that is only told.
    pub(super) fn unwritten(act: &str, who: Who) -> Self {
        let (uid, client_pid) = match who {
            Who::Peer { uid, pid } => (Some(uid), Some(pid)),
            Who::Clock => (None, None),
        };
        Self {
            line: Line {
                pid: std::process::id(),
                base: base(),
                uid,
                client_pid,
                act: act.to_owned(),
                ..Line::default()
            },
            file: None,
            again: false,
        }
    }

    /// Another attempt at what was written down before: only its end will be.
    pub(super) fn again(&mut self) {
        self.again = true;
    }

    /// It is about this patch.
    pub(super) fn about(&mut self, patch: &AppliedPatch) {
        self.line.digest = Some(patch.digest);
        self.line.name = Some(patch.name.clone());
        self.line.sequence = Some(patch.sequence);
    }

    /// Writes down that it will be done now. What is done can't be undone for a full disk, so that shows here.
    pub(super) fn begun(&mut self) -> Result<(), Failure> {
        let Some(file) = self.file.as_mut().filter(|_| !self.again) else {
            return Ok(());
        };
        self.line.time_ms = now_ms();
        self.line.version = crate::table::current_version();
        self.line.result = BEGUN.to_owned();
        let written = file
            .write_all(&self.line.text())
            .and_then(|()| file.sync_data());
        // Nobody asked the clock, so nobody can be refused.
        if self.line.uid.is_none() {
            return Ok(());
        }
        written.map_err(unwritable)
    }

    /// Writes down how it ended.
    pub(super) fn end(mut self, outcome: &Result<PatchReport, Failure>) {
        let line = &mut self.line;
        line.time_ms = now_ms();
        match outcome {
            Ok(report) => {
                line.version = report.version;
                line.result = if report.changed { DONE } else { UNCHANGED }.to_owned();
            }
            Err(failure) => {
                line.version = crate::table::current_version();
                line.result = failure.code.name();
                line.message = Some(failure.message.clone());
            }
        }
        tell(line);
        if let Some(mut file) = self.file {
            // That it has begun stands there; what is done is not undone for a full disk.
            let whole = end_line(&mut file).and_then(|()| file.write_all(&line.text()));
            let _ = whole.and_then(|()| file.sync_data());
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.map_or(0, |since| since.as_millis());
    u64::try_from(ms).unwrap_or(u64::MAX)
}

fn unwritable(error: io::Error) -> Failure {
    let path = lock(&PATH).clone().unwrap_or_default();
    let text = format!(
        "nothing is done that the audit log can't tell: `{}`: {error}",
        path.display()
    );
    Failure::new(ErrorCode::AuditFailed, text)
}

/// The same as an event of `tracing`.
#[cfg(feature = "tracing")]
fn tell(line: &Line) {
    let Line {
        act, result, uid, ..
    } = line;
    let digest = line.digest.map(|digest| digest.short());
    let (digest, name) = (
        digest.unwrap_or_default(),
        line.name.as_deref().unwrap_or(""),
    );
    match &line.message {
        None => {
            tracing::info!(target: "hotswap", act, patch = name, digest, ?uid, result, "patch: {act}: {result}");
        }
        Some(message) => {
            tracing::warn!(target: "hotswap", act, patch = name, digest, ?uid, result, "patch: {act}: {message}");
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn tell(_: &Line) {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_attempt_has_no_second_beginning() {
        let path = std::env::temp_dir().join(format!("hotswap-audit-{}", std::process::id()));
        let attempt = |again| {
            let file = Some(open(&path).unwrap());
            let mut act = Act {
                file,
                again,
                ..Act::unwritten("expire", Who::Clock)
            };
            act.begun().unwrap();
            act
        };
        let written = |result: &str| {
            let text = fs::read_to_string(&path).unwrap();
            text.matches(&format!("\"result\":\"{result}\"")).count()
        };
        drop(attempt(false));
        drop(attempt(true));
        assert_eq!((written(BEGUN), written(DONE)), (1, 0));
        let report = PatchReport {
            changed: true,
            ..PatchReport::default()
        };
        attempt(true).end(&Ok(report));
        assert_eq!((written(BEGUN), written(DONE)), (1, 1));
        fs::remove_file(&path).unwrap();
    }
}
