//! Commands that the user writes on one line, for `sh`.

use std::process::{Command, Stdio};

/// `sh` with this command. It has no input: the terminal's is not meant for it.
pub fn command(text: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", text]).stdin(Stdio::null());
    shell
}
