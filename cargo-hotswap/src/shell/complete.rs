//! Completion in the shell: commands, flags and values by the definition of the command line; names of servers
//! and crates by asking the program.

use clap::{Arg, Command};
use hotswap_protocol::servers::ServerOrder;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::line::commands;
use crate::control::find::{Running, Target};
use crate::control::message::Verb;

/// Completes lines for one program.
pub(super) struct Complete {
    pid: u32,
}

impl Complete {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// What the program has of a kind that the command line names; nothing if it does not answer.
    fn names(&self, kind: &str) -> Vec<String> {
        let target = Target {
            pid: Some(self.pid),
            name: None,
        };
        let Ok(found) = Running::look(&target).select(&target) else {
            return Vec::new();
        };
        match (kind, found.connection, found.tool) {
            ("SERVER", Some(mut connection), _) => {
                let report = connection.servers(ServerOrder::List {}).unwrap_or_default();
                let names = report.servers.into_iter();
                names
                    .map(|server| server.name.unwrap_or_else(|| server.number.to_string()))
                    .collect()
            }
            ("CRATE", _, Some(tool)) => {
                let outcome = tool.perform(Verb::Modules { module: None });
                let modules = outcome.unwrap_or_default().modules.into_iter();
                let mut names: Vec<String> = modules.map(|module| module.name).collect();
                names.dedup();
                names
            }
            _ => Vec::new(),
        }
    }
}

/// The words that can stand where a line ends, and where the last one begins; `names` gives those of a kind.
fn offers(line: &str, names: impl Fn(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let start = line.rfind(' ').map_or(0, |at| at + 1);
    let (before, begun) = line.split_at(start);
    let commands = commands();
    let mut words = before.split_whitespace();
    let mut offered = match words.next() {
        None | Some("help") => of_commands(&commands),
        Some(name) => match commands.find_subcommand(name) {
            Some(command) => of_arguments(command, words.next_back(), names),
            None => Vec::new(),
        },
    };
    offered.retain(|word| word.starts_with(begun));
    let quoted = offered.iter().map(|word| {
        let quoted = shlex::try_quote(word);
        quoted.map_or_else(|_| word.clone(), |quoted| quoted.into_owned())
    });
    (start, quoted.collect())
}

fn of_commands(commands: &Command) -> Vec<String> {
    let shown = commands.get_subcommands().filter(|one| !one.is_hide_set());
    let names = shown.map(|one| one.get_name().to_owned());
    names.chain(["exit", "help"].map(str::to_owned)).collect()
}

fn of_arguments(
    command: &Command,
    last: Option<&str>,
    names: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let arguments = || command.get_arguments().filter(|one| !one.is_hide_set());
    let values = |argument: &Arg| -> Vec<String> {
        let possible = argument.get_possible_values();
        let kinds = argument.get_value_names().unwrap_or_default();
        let mut values: Vec<String> = possible
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        values.extend(kinds.iter().flat_map(|kind| names(kind)));
        values
    };
    let is_last = |argument: &&Arg| {
        let flag = argument.get_long().map(|long| format!("--{long}"));
        flag.is_some() && flag.as_deref() == last && argument.get_action().takes_values()
    };
    if let Some(argument) = arguments().find(is_last) {
        return values(argument);
    }
    let flags = arguments().filter_map(|one| Some(format!("--{}", one.get_long()?)));
    let positional = arguments().filter(|one| one.is_positional());
    flags.chain(positional.flat_map(values)).collect()
}

impl Completer for Complete {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(offers(&line[..pos], |kind| self.names(kind)))
    }
}

impl Helper for Complete {}
impl Highlighter for Complete {}
impl Validator for Complete {}

impl Hinter for Complete {
    type Hint = String;
}

#[cfg(test)]
mod tests {
    use super::offers;

    #[test]
    fn what_is_offered() {
        let names = |kind: &str| match kind {
            "SERVER" => vec!["room".to_owned(), "two words".to_owned()],
            "CRATE" => vec!["app".to_owned()],
            _ => Vec::new(),
        };
        for (line, start, expected, not) in [
            (
                "",
                0,
                &["versions", "lm", "exit", "help"][..],
                &["run", "quit"][..],
            ),
            ("ver", 0, &["versions"], &["lm"]),
            ("help rev", 5, &["revert"], &[]),
            ("state ", 6, &["room", "'two words'"], &["app", "--pid"]),
            ("state room --time", 11, &["--timeout"], &["room"]),
            ("c a", 2, &["app"], &["room"]),
            ("suspend --", 8, &["--all"], &["--name"]),
            (
                "servers --message-format ",
                25,
                &["human", "json"],
                &["--message-format"],
            ),
            ("nonsense ", 9, &[], &["room"]),
        ] {
            let (at, offered) = offers(line, names);
            assert_eq!(at, start, "{line}");
            for word in expected {
                assert!(offered.contains(&(*word).to_owned()), "{line}: {offered:?}");
            }
            for word in not {
                assert!(
                    !offered.contains(&(*word).to_owned()),
                    "{line}: {offered:?}"
                );
            }
        }
    }
}
