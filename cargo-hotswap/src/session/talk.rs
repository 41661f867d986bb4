//! What the session tells: to the terminal, and to the journal for those who ask from elsewhere.

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

    /// Tells text of the compiler's, or an answer to a key: for people only.
    pub fn text(&self, text: &str) {
        self.journal.tell_text(text);
        self.reporter.text(text);
    }
}
