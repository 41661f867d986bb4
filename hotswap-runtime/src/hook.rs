//! What the attributes on functions that run at swaps make of them.

use std::fmt::Display;

use crate::migrate::describe::Description;
use crate::on_swap::Swap;

/// A function that runs at swaps, as the runtime calls it: the user's own is inside.
pub type Run = fn(Swap) -> Result<(), String>;

/// The descriptor of such a function, in the section `hotswap_hooks`. The tool reads the text, such as
/// `on-load app::check`, and the function's symbol from object files.
#[repr(C)]
#[derive(Debug)]
pub struct SwapHook {
    text: Description,
    run: Run,
}

impl SwapHook {
    /// The descriptor with this text.
    #[must_use]
    pub const fn new(text: &'static str, run: Run) -> Self {
        Self {
            text: Description::new(text),
            run,
        }
    }
}

/// What such a function may return.
#[diagnostic::on_unimplemented(
    message = "a function that runs at swaps returns nothing or `Result<(), E>`, where `E` can be shown",
    label = "this is neither"
)]
pub trait Outcome {
    /// Whether it did what it should, or else why not.
    fn told(self) -> Result<(), String>;
}

impl Outcome for () {
    fn told(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Outcome for Result<(), E> {
    fn told(self) -> Result<(), String> {
        // Some errors show what caused them only then.
        self.map_err(|error| format!("{error:#}"))
    }
}

/// What a function said.
pub fn outcome(outcome: impl Outcome) -> Result<(), String> {
    outcome.told()
}
