//! What was asked for and has not begun, and who waits for it.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use crate::control::message::{Outcome, Verb};

/// Another start.
pub(super) struct Restart {
    /// Why.
    pub(super) reason: String,
    /// Only if all state can be saved.
    pub(super) with_state: bool,
}

/// What was asked for and has not begun, and who waits for it.
#[derive(Default)]
pub(super) struct Wanted {
    /// How the program is to be started again.
    pub(super) restart: Option<Restart>,
    /// One revert for each.
    pub(super) reverts: VecDeque<Option<Sender<Outcome>>>,
    /// Orders about crates, and who waits for each.
    pub(super) loads: VecDeque<(Verb, Option<Sender<Outcome>>)>,
    /// Who waits for the one under way.
    pub(super) loaded: Option<Sender<Outcome>>,
    /// Those who wait for a restart.
    pub(super) restarted: Vec<Sender<Outcome>>,
    /// Cells whose values are lost by it.
    pub(super) afresh: Vec<String>,
    /// Who waits for the revert under way.
    pub(super) reverted: Option<Sender<Outcome>>,
    /// Those who wait for the end.
    pub(super) ended: Vec<Sender<Outcome>>,
}
