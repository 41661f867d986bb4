//! Ctrl-C for programs under test.

use std::{
    io,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use anyhow::{Context, Error, Result};
use signal_hook::consts::SIGINT;

/// Who starts tests in the background of a script has them ignore Ctrl-C, and with them whatever they
/// start. A signal that is handled is not ignored in children.
///
/// # Errors
///
/// The handler can't be set.
pub fn heed() -> Result<()> {
    static DONE: OnceLock<io::Result<()>> = OnceLock::new();
    let result = DONE.get_or_init(|| {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, always).map(|_| ())
    });
    let result = result.as_ref().map_err(ToString::to_string);
    result
        .copied()
        .map_err(Error::msg)
        .context("heeding Ctrl-C")
}
