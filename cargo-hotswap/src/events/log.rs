//! What is kept for later while the program draws on the terminal.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Event;
use super::render::{self, Look};
use super::style::{self, GOOD, INFO};

/// The name of the log in the run's folder.
pub const FILE: &str = "log";

/// A file with everything that could not be shown, and what of it has to be told afterwards.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    /// Whether people read what is told afterwards, rather than a program, which gets it all.
    abridged: bool,
    /// What has not been told yet.
    kept: String,
    swaps: usize,
    version: u64,
    /// Errors that a later swap has put right.
    mended: usize,
    /// Errors since the last swap, of which the last is told.
    standing: usize,
    error: String,
    warnings: String,
}

impl Log {
    /// A log in this folder; the file is made when there is something to write.
    pub fn new(folder: &Path, abridged: bool) -> Self {
        Self {
            path: folder.join(FILE),
            file: None,
            abridged,
            kept: String::new(),
            swaps: 0,
            version: 0,
            mended: 0,
            standing: 0,
            error: String::new(),
            warnings: String::new(),
        }
    }

    /// Keeps an event and the text that it has on a screen. A full disk loses the text only.
    pub fn keep(&mut self, event: &Event, text: &str) {
        self.kept += text;
        match event {
            Event::Swapped { version, .. } => {
                self.swaps += 1;
                self.version = *version;
                self.mended += std::mem::take(&mut self.standing);
                self.error.clear();
            }
            Event::CompileError { .. } | Event::Refused { .. } | Event::Failed { .. } => {
                self.standing += 1;
                text.clone_into(&mut self.error);
            }
            Event::WentBack { version, .. } => {
                self.version = *version;
                self.warnings += text;
            }
            Event::Warning { .. } | Event::Restored { .. } => self.warnings += text,
            _ => {}
        }
        if self.file.is_none() {
            let mut options = File::options();
            self.file = options.create(true).append(true).open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            let plain = anstream::adapter::strip_str(text).to_string();
            let _ = file.write_all(plain.as_bytes());
        }
    }

    /// What was kept since the last time: for people in short, with the warnings and the error
    /// that stands in full.
    /// `goes_on` is whether the file stays where it is.
    pub fn digest(&mut self, look: &Look, goes_on: bool) -> String {
        let kept = std::mem::take(&mut self.kept);
        if !self.abridged || kept.is_empty() {
            return kept;
        }
        let mut text = std::mem::take(&mut self.warnings);
        text += &std::mem::take(&mut self.error);
        let count = |number: usize, word: &str| match number {
            0 => None,
            1 => Some(format!("one {word}")),
            number => Some(format!("{number} {word}s")),
        };
        let swaps = count(std::mem::take(&mut self.swaps), "swap");
        let swaps = swaps.map(|swaps| format!("{swaps} (version {})", self.version));
        let mended = count(std::mem::take(&mut self.mended), "error");
        let mended = mended.map(|errors| format!("{errors} since mended"));
        let earlier = std::mem::take(&mut self.standing).saturating_sub(1);
        let earlier = count(earlier, "earlier error");
        let parts: Vec<String> = [swaps, mended, earlier].into_iter().flatten().collect();
        if !parts.is_empty() && !look.quiet {
            let line = format!("{} while the program had the screen", parts.join(", "));
            text += &style::status(GOOD, "Meanwhile", &line);
        }
        if goes_on && !look.quiet && !text.is_empty() {
            text += &style::status(
                INFO,
                "Logged",
                &format!("in {}", render::path(&self.path, look)),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Log, Look};
    use crate::events::Phases;

    fn swapped(version: u64) -> Event {
        Event::Swapped {
            version,
            reverts_to: None,
            files: Vec::new(),
            phases: Phases::default(),
            compiled: Vec::new(),
            relinked: Vec::new(),
            entries: Vec::new(),
            reshaped: Vec::new(),
            still_old: Vec::new(),
            statics: Vec::new(),
            migrated: None,
            remarks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn failed() -> Event {
        Event::Failed {
            message: String::new(),
        }
    }

    fn warning() -> Event {
        Event::Warning {
            message: String::new(),
        }
    }

    #[test]
    fn tells_what_matters_afterwards() {
        let table: [(&[(Event, &str)], &str); 7] = [
            (&[], ""),
            (
                &[(Event::Unchanged { files: Vec::new() }, "unchanged\n")],
                "",
            ),
            (
                &[(swapped(1), "one\n"), (swapped(2), "two\n")],
                "   Meanwhile 2 swaps (version 2) while the program had the screen\n",
            ),
            (&[(failed(), "one\n")], "one\n"),
            (
                &[(failed(), "one\n"), (failed(), "two\n")],
                "two\n   Meanwhile one earlier error while the program had the screen\n",
            ),
            (
                &[(failed(), "one\n"), (swapped(1), "one\n")],
                "   Meanwhile one swap (version 1), one error since mended while the program had \
                 the screen\n",
            ),
            (
                &[
                    (warning(), "careful\n"),
                    (swapped(1), "one\n"),
                    (failed(), "two\n"),
                ],
                "careful\ntwo\n   Meanwhile one swap (version 1) while the program had the screen\n",
            ),
        ];
        for (events, expected) in table {
            let folder = tempfile::tempdir().expect("a folder");
            let mut log = Log::new(folder.path(), true);
            for (event, text) in events {
                log.keep(event, text);
            }
            let look = Look::default();
            let digest = log.digest(&look, false);
            assert_eq!(anstream::adapter::strip_str(&digest).to_string(), expected);
            assert_eq!(log.digest(&look, false), "", "told once");
            let all: String = events.iter().map(|(_, text)| *text).collect();
            let mut whole = Log::new(&folder.path().join("absent"), false);
            for (event, text) in events {
                whole.keep(event, text);
            }
            assert_eq!(whole.digest(&look, false), all, "programs are told all");
            let written = std::fs::read_to_string(folder.path().join(super::FILE));
            assert_eq!(written.unwrap_or_default(), all);
        }
    }
}
