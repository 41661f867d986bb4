//! `cargo hotswap release`: builds with the way from the one before, brought to a machine, installed in the program
//! that runs there, made permanent, and taken back.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::control::find::Target;
use crate::output::Format;

pub mod about;
mod back;
mod file;
mod line;
mod live;
pub mod make;
mod origin;
mod plan;
mod shelf;
mod show;
mod steps;
mod store;
mod way;

pub use line::ReleaseLine;

/// The exit codes of `cargo hotswap release`, which stay as they are; those of `patch` mean the same here.
pub mod code {
    pub use crate::patch::code::{DOES_NOT_FIT, DONE, FAILED, NOT_TAKEN, NOT_TRUSTED};

    /// There is no such program, or no such release.
    pub const NONE: i32 = crate::patch::code::NO_PROGRAM;
    /// Only a restart of the program leads there.
    pub const NEEDS_RESTART: i32 = 15;
    /// The release is in use.
    pub const IN_USE: i32 = 16;
    /// Another process is changing the releases of the program.
    pub const BUSY: i32 = 17;
}

/// Where releases are, unless a flag says so; the runtime looks there, too.
const ROOT_VARIABLE: &str = hotswap_protocol::env::RELEASES;

/// What `release` takes.
#[derive(Debug, Clone, Args)]
pub struct ReleaseArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Build a release, and the way to it from the one before
    Make(Box<make::Options>),
    /// Show what is in a release, and what would be done on the way to it
    Show(show::ShowArgs),
    /// Check a release and bring it to the others on this machine
    Unpack(shelf::UnpackArgs),
    /// Have the running program tell whether it would take a release
    Check(way::WayArgs),
    /// Go over to a release in the running program; until it is permanent, a restart goes back
    Install(way::WayArgs),
    /// Have the program start from a release from now on
    Permanent(way::PermanentArgs),
    /// Show the releases on this machine, and which are in use
    List(shelf::ListArgs),
    /// Remove a release that is not in use
    Remove(shelf::RemoveArgs),
    /// Go back to the release before, in the running program and for its next start
    Rollback(back::RollbackArgs),
}

/// Where the releases are, whose program is meant, and how to tell what came of it.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Folder of all releases; without it, that of HOTSWAP_RELEASES, or `hotswap/releases` in the user's
    /// folder for state
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    root: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// How to tell what came of it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

impl Place {
    /// The folder of all releases.
    fn root(&self) -> Result<PathBuf> {
        match &self.root {
            Some(root) => std::path::absolute(root)
                .with_context(|| format!("could not find {}", root.display())),
            None => usual_root(|name| std::env::var_os(name)),
        }
    }

    fn store(&self) -> Result<store::Store> {
        store::Store::find(&self.root()?, self.target.name.as_deref())
    }
}

/// The folder of all releases that these variables name.
fn usual_root(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(root) = set(ROOT_VARIABLE).map(PathBuf::from) {
        // The program and this tool are hardly run in the same folder.
        let text = format!(
            "{ROOT_VARIABLE} is `{}`, which is no absolute path, so that the program and this tool would look in \
             different folders\n  = help: set it to an absolute path, or use `--root`",
            root.display()
        );
        return root.is_absolute().then_some(root).context(text);
    }
    let folder = |name| set(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    let state =
        state.context("there is no folder for releases\n  = help: name one with `--root`")?;
    Ok(state.join("hotswap/releases"))
}

/// It is not done, and this is the exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    /// The exit code.
    code: i32,
    text: String,
}

impl Refused {
    fn new(code: i32, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, text }
    }
}

/// Does it; the result is the exit code.
///
/// # Errors
///
/// What could not be done.
pub fn run(args: ReleaseArgs) -> Result<i32> {
    match args.command {
        Command::Make(options) => make::run(&options),
        Command::Show(args) => show::run(&args),
        Command::Unpack(args) => shelf::unpack(&args),
        Command::Check(args) => way::check(&args),
        Command::Install(args) => way::install(&args),
        Command::Permanent(args) => way::permanent(&args),
        Command::List(args) => shelf::list(&args),
        Command::Remove(args) => shelf::remove(&args),
        Command::Rollback(args) => back::rollback(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_where_the_program_looks_too() {
        let check = |variables: &[(&str, &str)], expected: Result<&str, &str>| {
            let value = |name: &str| {
                let found = variables.iter().find(|(one, _)| *one == name);
                found.map(|(_, value)| OsString::from(value))
            };
            match (usual_root(value), expected) {
                (Ok(root), Ok(expected)) => assert_eq!(root, PathBuf::from(expected)),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected)),
                other => panic!("{variables:?}: {other:?}"),
            }
        };
        let home = ("HOME", "/h");
        check(&[], Err("there is no folder for releases"));
        check(&[home], Ok("/h/.local/state/hotswap/releases"));
        check(&[home, ("XDG_STATE_HOME", "/s")], Ok("/s/hotswap/releases"));
        check(&[home, (ROOT_VARIABLE, "/r")], Ok("/r"));
        check(
            &[home, (ROOT_VARIABLE, "")],
            Ok("/h/.local/state/hotswap/releases"),
        );
        check(&[home, (ROOT_VARIABLE, "r")], Err("no absolute path"));
    }
}
