//! Data on stdout, talk on stderr, for commands that end by themselves.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// How a command that ends by itself prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

/// Writes data. A reader that has read enough is no error.
///
/// # Errors
///
/// stdout can't be written for another reason.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("could not write the output"),
    }
}

/// Tells of something that was done, as cargo does.
pub fn status(verb: &str, text: &str) {
    // Nobody listens to a closed stderr.
    let _ = writeln!(
        anstream::stderr().lock(),
        "\x1b[1;32m{verb:>12}\x1b[0m {text}"
    );
}

/// Tells of something that the user should know.
pub fn warning(text: &str) {
    let _ = writeln!(
        anstream::stderr().lock(),
        "\x1b[1;33mwarning\x1b[0m: {text}"
    );
}
