//! `cargo hotswap status --follow`: what the tool tells, as it happens.

use anyhow::Result;

use crate::control::client::Client;
use crate::output::{self, Format};

/// Prints the last events and all that come, until the run ends or nobody reads; the result is the
/// exit code. The lines of JSON are those of `run --message-format=json`.
///
/// # Errors
///
/// The tool can't be asked.
pub fn follow(tool: Client, format: Format) -> Result<i32> {
    tool.follow(|line| {
        let text = match format {
            Format::Human => line.text,
            Format::Json if line.json.is_empty() => String::new(),
            Format::Json => line.json + "\n",
        };
        Ok(text.is_empty() || output::offer(&text)?)
    })?;
    Ok(0)
}
