//! `cargo hotswap shell`: the commands that mean a running program, one a line, with history and completion.
//!
//! A line is parsed by the very definition of the command line, and done by what does it there.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, FromArgMatches as _};
use rustyline::error::ReadlineError;
use rustyline::{CompletionType, Config, Editor};

use crate::cli::{self, Hotswap};
use crate::control::find::{Running, Target};
use crate::control::verbs::FAILED;
use crate::output;
use complete::Complete;
use line::{Line, commands};

mod complete;
mod line;

/// How many lines are kept.
const KEPT_LINES: usize = 1000;

/// What `shell` takes.
#[derive(Debug, Clone, Args)]
pub struct ShellArgs {
    #[command(flatten)]
    target: Target,
}

/// Takes commands until the input ends; the result is the exit code: 1 if one of them failed that did not
/// come from a terminal.
///
/// # Errors
///
/// It is not clear which program is meant, or the terminal can't be used.
pub fn run(args: &ShellArgs) -> Result<i32> {
    let program = Running::look(&args.target).select(&args.target)?.program;
    // That of the tool stays the same when the program is started again.
    let pid = program.tool.or(program.pid);
    let pid = pid.context("the program has no process id")?;
    if std::io::stdin().is_terminal() {
        on_terminal(&program.name, pid)?;
        return Ok(0);
    }
    let mut code = 0;
    for line in std::io::stdin().lock().lines() {
        match obey(&line?, pid) {
            Went::On(0) => {}
            Went::On(failed) => code = failed,
            Went::Exit => break,
        }
    }
    Ok(code)
}

fn on_terminal(name: &str, pid: u32) -> Result<()> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(KEPT_LINES)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Complete::new(pid)));
    let history = history();
    if let Some(history) = &history {
        // There is none at first.
        let _ = editor.load_history(history);
    }
    let prompt = format!("{name}> ");
    loop {
        match editor.readline(&prompt) {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                if let Some(history) = &history {
                    // A shell without one works as well.
                    let _ = editor.append_history(history);
                }
                if matches!(obey(&line, pid), Went::Exit) {
                    return Ok(());
                }
            }
            // The line is given up.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => bail!("the terminal can't be used: {error}"),
        }
    }
}

/// Where lines are kept, in a folder that is made if need be.
fn history() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = match set("XDG_STATE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(set("HOME")?).join(".local/state"),
    };
    let folder = state.join("hotswap");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// What follows a line.
enum Went {
    /// The next one; this is the exit code of the command.
    On(i32),
    Exit,
}

/// Does what a line says, for the program of this process.
fn obey(line: &str, pid: u32) -> Went {
    let words = match Line::read(line) {
        Line::Nothing => return Went::On(0),
        Line::Exit => return Went::Exit,
        Line::Unclosed => {
            output::error("a quotation mark is not closed");
            return Went::On(FAILED);
        }
        Line::Command(words) => words,
    };
    if let Some(refusal) = line::refusal(&words) {
        output::error(&refusal);
        return Went::On(FAILED);
    }
    let matches = match commands().try_get_matches_from(line::for_program(&words, pid)) {
        Ok(matches) => matches,
        Err(error) => {
            // Help is one as well.
            let _ = error.print();
            return Went::On(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    let done = Hotswap::from_arg_matches(&matches)
        .map_err(Into::into)
        .and_then(cli::perform);
    Went::On(done.unwrap_or_else(|error| {
        output::failure(&error);
        FAILED
    }))
}
