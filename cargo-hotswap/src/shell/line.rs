//! What a line of the shell says.

use clap::{Args as _, Command};

use crate::cli::Hotswap;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing, or a comment.
    Nothing,
    /// The end.
    Exit,
    /// A quotation has no end.
    Unclosed,
    /// A command.
    Command(Vec<String>),
}

impl Line {
    /// Splits a line into words, as a shell does.
    pub(super) fn read(line: &str) -> Self {
        let Some(words) = shlex::split(line) else {
            return Self::Unclosed;
        };
        match words.as_slice() {
            [] => Self::Nothing,
            [one] if one == "exit" => Self::Exit,
            _ => Self::Command(words),
        }
    }
}

/// Commands that mean a running program, and have no place here.
const ELSEWHERE: [&str; 2] = ["shell", "quit"];

/// Whether a command means a running program.
fn is_of_program(command: &Command) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|argument| argument.get_id() == "pid") && !ELSEWHERE.contains(&command.get_name())
}

/// The definition of the shell's commands: that of the tool's, of which those are hidden that mean no
/// running program, and the choice of one.
pub(super) fn commands() -> Command {
    let mut command = Hotswap::augment_args(Command::new("shell"))
        .multicall(true)
        .disable_help_flag(true)
        .about("Commands for one running program")
        .after_help("`exit` or Ctrl-D leaves the shell.");
    let names: Vec<String> = command
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, |one| {
            if !is_of_program(&one) {
                return one.hide(true);
            }
            one.mut_arg("pid", |argument| argument.hide(true))
                .mut_arg("name", |argument| argument.hide(true))
        });
    }
    command
}

/// Why a command can't be given here, if it is one of the tool's others.
pub(super) fn refusal(words: &[String]) -> Option<String> {
    let name = words.first()?;
    let command = commands();
    let command = command.find_subcommand(name)?;
    if name == "quit" {
        return Some(
            "`quit` ends the program\n  = help: `exit` leaves the shell; `cargo hotswap quit` ends \
             the program"
                .to_owned(),
        );
    }
    let refused = !is_of_program(command) && name != "help";
    refused.then(|| {
        format!(
            "`{name}` means no running program\n  = help: leave the shell with `exit`, and use \
             `cargo hotswap {name}`"
        )
    })
}

/// The words with the program that is meant, if they are a command that asks for one and don't say it.
pub(super) fn for_program(words: &[String], pid: u32) -> Vec<String> {
    let mut words = words.to_vec();
    let asks = words.first().is_some_and(|name| {
        let command = commands();
        command.find_subcommand(name).is_some_and(is_of_program)
    });
    let says = words.iter().any(|word| {
        let word = word.split('=').next().unwrap_or_default();
        word == "--pid" || word == "--name"
    });
    if asks && !says {
        words.splice(1..1, ["--pid".to_owned(), pid.to_string()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        match Line::read(line) {
            Line::Command(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            ("", Line::Nothing),
            ("  # a comment", Line::Nothing),
            ("exit", Line::Exit),
            ("state 'a", Line::Unclosed),
        ] {
            assert_eq!(Line::read(line), expected, "{line}");
        }
        assert_eq!(words("state 'a b'"), ["state", "a b"]);
    }

    #[test]
    fn the_program_is_added() {
        for (line, expected) in [
            ("versions --holders", "versions --pid 7 --holders"),
            ("state a", "state --pid 7 a"),
            ("state a --pid=9", "state a --pid=9"),
            ("m --name x", "m --name x"),
            ("help m", "help m"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(for_program(&words(line), 7).join(" "), expected);
        }
    }

    #[test]
    fn commands_of_the_shell_parse_as_those_of_the_tool() {
        for line in [
            "c app",
            "l",
            "l app",
            "lm",
            "mm",
            "m",
            "m app",
            "versions",
            "servers",
            "check",
            "purge",
            "soft-purge",
            "revert",
            "suspend --all",
            "resume room",
            "state room",
            "status",
            "restart",
            "timings",
        ] {
            let parsed = commands().try_get_matches_from(for_program(&words(line), 7));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
            assert_eq!(refusal(&words(line)), None);
        }
        for line in ["run", "quit", "shell", "init --write", "doctor"] {
            let refusal = refusal(&words(line)).unwrap_or_default();
            assert!(refusal.contains("`exit`"), "{line}: {refusal}");
        }
        let help = commands().render_help().to_string();
        for (name, is_there) in [("  lm ", true), ("  versions ", true), ("  run ", false)] {
            assert_eq!(help.contains(name), is_there, "{help}");
        }
    }
}
