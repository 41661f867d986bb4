//! Commands that run others: in another place, under a tracer, with less room.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A command that another one runs, whose last arguments it becomes: with the same variables, in the same folder.
#[must_use]
pub fn inside(mut outer: Command, inner: &Command) -> Command {
    outer.arg(inner.get_program()).args(inner.get_args());
    surround(&mut outer, inner);
    outer
}

/// Has a command run with the variables and in the folder of another one.
pub fn surround(command: &mut Command, by: &Command) {
    if let Some(folder) = by.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in by.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// A command that runs a shell's script, to which a command is to be added as its arguments (see [`inside`]), in whose
/// sight a disk of its own lies in the folder: with these options of tmpfs, such as `size=16k`. None if the system does
/// not let its users mount.
#[must_use]
pub fn with_disk(folder: &Path, options: &str, script: &str) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o {options} none '{}'", folder.display());
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-current-user", "--keep-caps", "--mount"]);
        command.args(["sh", "-c", script]);
        command
    };
    let works = shell(&mount).output();
    if !works.is_ok_and(|output| output.status.success()) {
        not_tested("this system does not let its users mount a disk");
        return None;
    }
    Some(shell(&format!("{mount} && {script}")))
}

/// The script that is nothing but the command.
pub const COMMAND: &str = "exec \"$0\" \"$@\"";

/// Says, past a test's captured output, that something can't be tested here.
pub fn not_tested(reason: &str) {
    // Whoever closed the output does not read it.
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
}
