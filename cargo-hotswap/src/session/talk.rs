//! What the session tells: to the terminal, and to the journal for those who ask from elsewhere.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use super::journal::Journal;
use crate::events::{Event, Reporter};

/// The one place through which events go.
#[derive(Debug, Clone)]
pub struct Talk {
    reporter: Reporter,
    /// What those from elsewhere see.
    pub journal: Arc<Journal>,
}

impl Talk {
    /// Talks to the terminal in the reporter's way.
    pub fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            journal: Arc::default(),
        }
    }

    /// Tells an event.
    pub fn report(&self, event: &Event) {
        // First what is asked for from elsewhere: who sees the event in the terminal may ask.
        self.journal.tell(event);
        self.reporter.report(event);
    }

    /// A program runs from now on, which may draw on the terminal; `folder` is for what can't be
    /// told meanwhile.
    pub fn program_started(&self, folder: &Path) {
        self.reporter.program_started(folder);
    }

    /// The program has ended, because the tool was asked to end it or by itself.
    pub fn program_ended(&self, status: ExitStatus, asked: bool) {
        self.reporter.program_ended(status, asked);
    }

    /// Whether the tool itself reads single keys from the terminal.
    pub fn set_keys(&self, keys: bool) {
        self.reporter.set_keys(keys);
    }

    /// Tells text of the compiler's, or an answer to a key: for people only.
    pub fn text(&self, text: &str) {
        self.journal.tell_text(text);
        self.reporter.text(text);
    }
}
