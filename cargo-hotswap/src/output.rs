//! What commands say that end by themselves: data on stdout, talk on stderr, in cargo's manner.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::events::render;
use crate::events::style::{self, GOOD};

mod plain;

pub use plain::{plain, plain_lines};

/// The form of data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Human,
    /// JSON, one object a line
    Json,
}

/// Writes data. A reader that has read enough is no error.
///
/// # Errors
///
/// stdout can't be written for another reason.
pub fn print(text: &str) -> Result<()> {
    offer(text).map(drop)
}

/// Writes data, at once; false if its reader has read enough.
///
/// # Errors
///
/// stdout can't be written for another reason.
pub fn offer(text: &str) -> Result<bool> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout
        .write_all(plain::guarded(text).as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("could not write the output"),
    }
}

/// Tells of something that was done, in one line.
pub fn status(verb: &str, text: &str) {
    talk(&style::status(GOOD, verb, &plain(text)));
}

/// Tells of something that the user should know.
pub fn warning(message: &str) {
    talk(&render::warning(message));
}

/// Says what is wrong.
pub fn error(message: &str) {
    talk(&render::error(message, &[]));
}

/// Says what is wrong and what caused it.
pub fn failure(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    talk(&render::error(&error.to_string(), &causes));
}

/// Tells what the compiler said.
pub fn compiler(message: &str) {
    talk(message);
}

fn talk(text: &str) {
    // A closed stderr changes nothing about it.
    let _ = anstream::stderr()
        .lock()
        .write_all(plain::guarded(text).as_bytes());
}
