//! Asks the tool for another start.

use hotswap_protocol::event::Event;

use crate::engine::{events, fork};
use crate::restart::RestartError;

/// Tells all that listen.
pub(crate) fn restart() -> Result<(), RestartError> {
    if fork::undivided(|| events::tell(&Event::RestartAsked {})) {
        Ok(())
    } else {
        Err(RestartError::NoTool)
    }
}
