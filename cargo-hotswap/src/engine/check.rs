//! What an edit would do: everything that a swap does before it, and nothing after.

use std::path::PathBuf;
use std::time::Instant;

use hotswap_protocol::message::PrepareReport;

use super::Engine;
use crate::events::Event;

/// What came of a check.
#[derive(Debug)]
pub enum Checked {
    /// It would go live, and these entries would run new code.
    Good {
        /// Their paths.
        entries: Vec<String>,
    },
    /// How the edit would end instead.
    Ends(Box<Event>),
}

/// The program has taken a patch, which was dropped.
#[derive(Debug, thiserror::Error)]
#[error("the patch was only checked")]
pub(super) struct OnlyChecked(pub(super) PrepareReport);

impl Engine {
    /// Compiles what these files say, and has the program check and load what comes of it, without any
    /// effect: what is to run at a load does not run.
    pub fn check(&mut self, files: &[PathBuf], detected: Instant) -> Checked {
        self.only_checks = true;
        let result = self.try_update(files, detected);
        self.only_checks = false;
        match result {
            Ok(event) => Checked::Ends(Box::new(event)),
            Err(error) => match error.downcast::<OnlyChecked>() {
                Ok(OnlyChecked(report)) => Checked::Good {
                    entries: [report.replaced, report.added].concat(),
                },
                Err(error) => Checked::Ends(Box::new(Event::Failed {
                    message: format!("{error:#}"),
                })),
            },
        }
    }
}
