//! The CPU time of a command with one program after the other.
//!
//! What else the machine does changes over time. So the programs take turns, each round begins with another one, and
//! they are compared within a round.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hotswap_protocol::env;
use schemars::JsonSchema;
use serde::Serialize;

use super::processes::{self, Openings};
use crate::children;
use crate::session::signals;
use crate::shell_command;

/// The variable with the path of the program that the command shall work with.
const VARIABLE: &str = "HOTSWAP_PROGRAM";

/// So many lines of stderr are told of a command that fails.
const LAST_LINES: usize = 10;

/// In so many bytes.
const LAST_BYTES: u64 = 4096;

/// A program to run the command with.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// What it is called.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: &'a Path,
}

/// Whose CPU time was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// That of the command with all that it has started.
    Command,
    /// That of the program alone, which still ran when the command had ended.
    Program,
}

/// CPU times.
#[derive(Debug, PartialEq)]
pub(super) struct Times {
    /// Whose.
    pub(super) of: Of,
    /// Seconds of each program in each round.
    pub(super) seconds: Vec<Vec<f64>>,
}

/// What one run of the command has used.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// The command with all that it has started.
    all: Duration,
    /// The program, if it still ran when the command had ended.
    program: Option<Duration>,
}

/// Runs the command with each program in each round, and once before.
///
/// # Errors
///
/// It fails, does not run the program, or does not do the same each time.
pub(super) fn measure(command: &str, programs: &[Program<'_>], rounds: u32) -> Result<Times> {
    processes::adopt()?;
    let mut runs = vec![Vec::new(); programs.len()];
    for round in 0..=rounds as usize {
        for at in order(round, programs.len()) {
            let program = &programs[at];
            let openings = (round == 0).then(|| Openings::of(program.path)).flatten();
            let used = run(command, program).inspect_err(|_| signals::go_on())?;
            if openings.is_some_and(|openings| !openings.any()) {
                bail!(
                    "`{command}` did not run {} ({})\n  = help: the path of the program to run is in {VARIABLE}",
                    program.name,
                    program.path.display()
                );
            }
            // In the first one caches are cold.
            if round > 0 {
                runs[at].push(used);
            }
        }
    }
    times(command, &runs)
}

/// In which order the programs have their turns.
fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| (round + turn) % count)
}

fn run(command: &str, program: &Program<'_>) -> Result<Used> {
    let said = tempfile::tempfile().context("could not make a file for what the command says")?;
    let mut shell = shell_command::command(command);
    shell
        .env(VARIABLE, program.path)
        // With these, the program would listen for patches, or be the release that is permanent here.
        .env_remove(env::LISTEN)
        .env_remove(env::RELEASES)
        .stdout(Stdio::null())
        .stderr(said.try_clone()?);
    let before = processes::used()?;
    let status = children::status(&mut shell).context("`sh` can't be run")?;
    let of_program = processes::end_left(program.path)?;
    if !status.success() {
        bail!(
            "`{command}` failed with {} ({}): {status}{}\n  \
             = help: it has to succeed with each build, whose path is in {VARIABLE}; the patchable program and its \
             base are as they were built",
            program.name,
            program.path.display(),
            last_words(said)?
        );
    }
    Ok(Used {
        all: processes::used()?.saturating_sub(before),
        program: of_program,
    })
}

/// The last lines of what a command has said.
fn last_words(mut said: File) -> io::Result<String> {
    let length = said.seek(SeekFrom::End(0))?;
    said.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    Ok(last.iter().map(|line| format!("\n  | {line}")).collect())
}

/// Whose time is compared: the program's alone, where it still ran each time.
fn times(command: &str, runs: &[Vec<Used>]) -> Result<Times> {
    let all = || runs.iter().flatten();
    let left = all().filter(|used| used.program.is_some()).count();
    let of = match left {
        0 => Of::Command,
        left if left == all().count() => Of::Program,
        left => bail!(
            "`{command}` ended before the program in {left} of {} runs, so their times can't be compared\n  \
             = help: let it always leave the program running, or always end it and `wait` for its end",
            all().count()
        ),
    };
    let seconds = |used: &Used| used.program.unwrap_or(used.all).as_secs_f64();
    let seconds: Vec<Vec<f64>> = runs
        .iter()
        .map(|runs| runs.iter().map(seconds).collect())
        .collect();
    if seconds.iter().flatten().any(|one| *one <= 0.0) {
        bail!("`{command}` does so little that its CPU time can't be measured");
    }
    Ok(Times { of, seconds })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_round_begins_with_another() {
        let orders = (0..4).map(|round| order(round, 3).collect::<Vec<_>>());
        assert_eq!(
            orders.collect::<Vec<_>>(),
            [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]
        );
    }

    #[test]
    fn times_are_of_the_same_thing() {
        let used = |all: u64, program: Option<u64>| Used {
            all: Duration::from_millis(all),
            program: program.map(Duration::from_millis),
        };
        let of = |of, seconds: [[f64; 2]; 2]| {
            let seconds = seconds.map(|one| one.to_vec()).to_vec();
            Ok(Times { of, seconds })
        };
        for (runs, expected) in [
            (
                [[used(500, None), used(250, None)], [used(2000, None); 2]],
                of(Of::Command, [[0.5, 0.25], [2.0, 2.0]]),
            ),
            (
                [[used(500, Some(125)); 2], [used(2000, Some(1500)); 2]],
                of(Of::Program, [[0.125, 0.125], [1.5, 1.5]]),
            ),
            (
                [[used(500, None), used(250, Some(1))], [used(2000, None); 2]],
                Err("ended before the program in 1 of 4 runs"),
            ),
            (
                [[used(500, None), used(0, None)], [used(2000, None); 2]],
                Err("does so little"),
            ),
        ] {
            let runs = runs.map(|runs| runs.to_vec());
            match (times("work", &runs), expected) {
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{error}");
                }
                (found, expected) => assert_eq!(found.ok(), expected.ok()),
            }
        }
    }

    #[test]
    fn last_words_are_few() {
        let many: Vec<String> = (1..=1000).map(|line| format!("line {line}")).collect();
        for (said, expected) in [
            ("", String::new()),
            ("one\n", "\n  | one".to_owned()),
            ("one\n\ntwo", "\n  | one\n  | \n  | two".to_owned()),
            (
                &many.join("\n"),
                (991..=1000)
                    .map(|line| format!("\n  | line {line}"))
                    .collect(),
            ),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(said.as_bytes()).unwrap();
            assert_eq!(last_words(file).unwrap(), expected);
        }
    }
}
