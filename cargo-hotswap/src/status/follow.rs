//! `cargo hotswap status --follow`: what the tool tells, as it happens.

use anyhow::Result;

use super::command::print;
use crate::control::client::Client;
use crate::events::MessageFormat;

/// Prints the last events and all that come, until the run ends or nobody reads; the result is the
/// exit code. The lines of JSON are those of `run --message-format=json`.
///
/// # Errors
///
/// The tool can't be asked.
pub fn follow(tool: Client, format: MessageFormat) -> Result<i32> {
    tool.follow(|line| {
        let text = match format {
            MessageFormat::Human => line.text,
            MessageFormat::Json if line.json.is_empty() => String::new(),
            MessageFormat::Json => line.json + "\n",
        };
        Ok(text.is_empty() || print(&text))
    })?;
    Ok(0)
}
