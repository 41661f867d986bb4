//! Going back to the code before, as the program itself asks for it.

use crate::{engine, on_swap};

/// Why the program did not go back. All is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevertError {
    /// The code that the program was started with is current.
    #[error("there is nothing to go back to: the program runs the code that it was started with")]
    First,
    /// What was before is not kept any more.
    #[error("there is nothing to go back to: of all versions, the last ones are kept")]
    Dropped,
    /// Values in cells can't become what the older code expects.
    #[error("the program can't go back to the code of version {to}: {reason}")]
    NoWay {
        /// The version whose code it would be.
        to: u64,
        /// Why not.
        reason: String,
    },
    /// A cell was in use.
    #[error("{0}")]
    InUse(String),
    /// The former value of a cell could not be made.
    #[error("{0}")]
    Failed(String),
    /// A swap is under way, or another version has come meanwhile.
    #[error("a swap is under way")]
    Busy,
    /// This process can't be patched, so there is nothing to go back from.
    #[error("this process takes no patches")]
    NoPatches,
    /// The system has no thread for it, or that failed.
    #[error("the thread that is to go back: {0}")]
    Thread(String),
}

/// Goes back to the code before: the version that the current one replaced becomes current again,
/// under a new number, with what is in cells as its code expects it. Gives that number.
///
/// A second call goes on to the version before that. No tool is needed: each patch says how to get
/// back from it. It returns when all entries run the older code, and runs the callbacks of
/// [`on_swap`](crate::on_swap()). The code that calls it is that of the version that is left: it should
/// not use cells afterwards whose type has changed, nor hold a guard of one.
///
/// # Errors
///
/// There is nothing to go back to, a value can't be carried back, or is in use. Nothing has changed
/// then.
///
/// # Examples
///
/// ```
/// assert!(hotswap::revert().is_err(), "no patch has come");
/// ```
pub fn revert() -> Result<u64, RevertError> {
    // A callback belongs to a swap that waits for it.
    if on_swap::is_running() {
        return Err(RevertError::Busy);
    }
    engine::revert()
}
