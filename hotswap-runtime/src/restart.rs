//! Starting again, as the program itself asks for it.

use crate::engine;

/// Why the program is not started again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartError {
    /// No tool listens to this process.
    #[error("this process was not started by `cargo hotswap run`, or that has ended")]
    NoTool,
}

/// Asks the tool to start the program again on the newest code, with its arguments and environment, as
/// `cargo hotswap restart` does.
///
/// It returns at once. The tool builds the program; if that fails, this process goes on. Otherwise
/// it saves what is in cells that are made with `Live::saved` and asks this process to end, by the
/// signal `SIGTERM`; one that does not end within some seconds is killed.
///
/// # Errors
///
/// Nobody listens.
///
/// # Examples
///
/// ```
/// assert!(hotswap::restart().is_err(), "there is no tool");
/// ```
pub fn restart() -> Result<(), RestartError> {
    engine::restart()
}
