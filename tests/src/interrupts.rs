//! Ctrl-C and the end of a terminal, for programs under test.

use std::{
    io,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use anyhow::{Context, Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT};

/// Who starts tests in the background of a script has them ignore Ctrl-C, who starts them by `nohup` the
/// end of a terminal, and with them whatever they start. A signal that is handled is not ignored in
/// children.
///
/// # Errors
///
/// A handler can't be set.
pub fn heed() -> Result<()> {
    static DONE: OnceLock<io::Result<()>> = OnceLock::new();
    let result = DONE.get_or_init(|| {
        let always = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGHUP] {
            let always = Arc::clone(&always);
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, always)?;
        }
        Ok(())
    });
    let result = result.as_ref().map_err(ToString::to_string);
    result
        .copied()
        .map_err(Error::msg)
        .context("heeding signals")
}
