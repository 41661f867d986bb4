//! `cargo hotswap init`: adds the runtime to a package, and shows and marks functions.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{MetadataCommand, Package};
use serde::Serialize;

use crate::output::{self, Format};
use crate::selection::Selection;
use find::{Candidate, Certainty, LongLoop};
use functions::Code;
use mark::Change;

mod calls;
mod choose;
mod find;
mod frameworks;
mod functions;
mod loops;
mod macros;
mod mark;
mod resolve;
pub mod sources;
#[cfg(test)]
mod tests;
mod verdict;

/// The package that programs depend on.
const RUNTIME: &str = "hotswap-runtime";

/// What was asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Package to look at
    #[arg(short, long, value_name = "SPEC", help_heading = "Package Selection")]
    pub package: Option<String>,
    /// Mark this function: `Type::name`, a longer path, or FILE:LINE
    #[arg(long, value_name = "FUNCTION", num_args = 1.., conflicts_with = "mark_all")]
    pub mark: Vec<String>,
    /// Mark all functions that are shown and can be an entry
    #[arg(long)]
    pub mark_all: bool,
    /// Depend on the runtime in this folder, rather than on the registry's
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub path: Option<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How to print
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    pub message_format: Format,
    /// Path to Cargo.toml
    #[arg(
        long,
        value_name = "PATH",
        value_hint = clap::ValueHint::FilePath,
        help_heading = "Manifest Options"
    )]
    pub manifest_path: Option<PathBuf>,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest Options")]
    pub offline: bool,
}

/// A function as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    function: String,
    file: PathBuf,
    line: usize,
    reason: String,
    /// By what is known: `handler`, `loop` or `name`.
    because: &'static str,
    marked: bool,
    /// Why it can't be an entry.
    refusal: Option<String>,
}

/// Adds the dependency, shows functions, and marks those that were asked for.
///
/// # Errors
///
/// The package can't be read or the dependency not added, a function is not found or can't be an
/// entry. The user's files are then as they were.
pub fn run(options: &Options) -> Result<i32> {
    let selection = Selection {
        package: options.package.clone(),
        manifest_path: options.manifest_path.clone(),
        offline: options.offline,
        ..Selection::default()
    };
    let mut command = MetadataCommand::new();
    command.no_deps().other_options(selection.manifest_flags());
    let metadata = command.exec().context("cargo can't read this project")?;
    let package = sources::choose_package(&metadata, &selection)?;
    let found = sources::Sources::of_package(package);
    for unread in &found.unread {
        output::warning(&format!("left out, since it could not be read: {unread}"));
    }
    let files = &found.files;
    let code = Code::read(files);
    let dependencies = package
        .dependencies
        .iter()
        .map(|one| one.name.clone())
        .collect();
    let find::Found { candidates, loops } = find::find(&code, &dependencies);
    let shown = show(&code, files, &candidates);
    let chosen = chosen(options, &code, files, &candidates)?;
    let changes = mark::plan(&code, files, &chosen)?;
    let has_runtime = package.dependencies.iter().any(|one| one.name == RUNTIME);
    match options.message_format {
        // Who names functions knows what there is.
        Format::Human if !options.mark.is_empty() => {}
        Format::Human => output::print(&(table(&shown) + &left(&code, files, &loops)))?,
        Format::Json => {
            for one in &shown {
                output::print(&(serde_json::to_string(one)? + "\n"))?;
            }
        }
    }
    let human = options.message_format == Format::Human;
    if options.dry_run {
        return preview(options, package, has_runtime, &changes).map(|()| 0);
    }
    let restore = Restore::of(package, metadata.workspace_root.as_std_path())?;
    if !has_runtime {
        add_runtime(options, package, false)?;
    }
    if let Err(error) = mark::write(&changes) {
        restore.put_back();
        return Err(error);
    }
    if human {
        report(&code, &chosen, &changes, &shown);
    }
    Ok(0)
}

fn chosen(
    options: &Options,
    code: &Code<'_>,
    files: &[sources::SourceFile],
    candidates: &[Candidate],
) -> Result<Vec<usize>> {
    if options.mark_all {
        let can = |number: &usize| code.functions[*number].refusal.is_none();
        return Ok(candidates
            .iter()
            .map(|one| one.function)
            .filter(can)
            .collect());
    }
    choose::named(code, files, &options.mark)
}

fn show(code: &Code<'_>, files: &[sources::SourceFile], candidates: &[Candidate]) -> Vec<Shown> {
    let shown = candidates.iter().map(|candidate| {
        let function = &code.functions[candidate.function];
        Shown {
            function: function.path(),
            file: shown(&files[function.file].path),
            line: function.line,
            reason: candidate.reason.clone(),
            because: match candidate.certainty {
                Certainty::Handler => "handler",
                Certainty::Loop => "loop",
                Certainty::Name => "name",
            },
            marked: function.marked,
            refusal: function.refusal.clone(),
        }
    });
    shown.collect()
}

/// What was found, for people.
fn table(shown: &[Shown]) -> String {
    if shown.is_empty() {
        return "No function was found that is called again and again (a handler, a frame, a round \
                of a loop).\nA program that does its work once and ends has little to swap; mark a \
                function yourself with `--mark`.\n"
            .to_owned();
    }
    let width = shown
        .iter()
        .map(|one| one.function.len())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut text = "Called again and again, so that an entry would pay off:\n".to_owned();
    for one in shown {
        let state = match (&one.refusal, one.marked) {
            (_, true) => " (marked)".to_owned(),
            (Some(refusal), _) => format!("\n      can't be an entry: {refusal}"),
            (None, false) => String::new(),
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "  {:width$}  {}{state}\n      {}:{}",
            one.function,
            one.reason,
            one.file.display(),
            one.line,
        );
    }
    text
}

/// What no entry covers, for people.
fn left(code: &Code<'_>, files: &[sources::SourceFile], loops: &[LongLoop]) -> String {
    let lines = loops.iter().map(|one| {
        let function = &code.functions[one.function];
        format!(
            "The {} lines of the loop in `{}` stay as they are while it runs, closures in it too: \
             move\nthe body of a round into a function to edit that as well\n      {}:{}\n",
            one.lines,
            function.path(),
            shown(&files[function.file].path).display(),
            one.line,
        )
    });
    lines.collect()
}

fn preview(
    options: &Options,
    package: &Package,
    has_runtime: bool,
    changes: &[Change],
) -> Result<()> {
    if !has_runtime {
        add_runtime(options, package, true)?;
    }
    for change in changes {
        output::print(&mark::diff(change))?;
    }
    output::warning("nothing was written (`--dry-run`)");
    Ok(())
}

fn report(code: &Code<'_>, chosen: &[usize], changes: &[Change], shown: &[Shown]) {
    for number in chosen {
        let function = &code.functions[*number];
        let verb = if function.marked {
            "Unchanged"
        } else {
            "Marked"
        };
        output::status(verb, &function.path());
    }
    let can = shown.iter().any(|one| !one.marked && one.refusal.is_none());
    if chosen.is_empty() && can && !code.has_entry() {
        output::status(
            "Next",
            "mark some with `cargo hotswap init --mark FUNCTION...`, or all with `--mark-all`",
        );
    } else if !changes.is_empty() || code.has_entry() {
        output::status("Next", "start the program with `cargo hotswap run`");
    }
}

/// Has cargo add the runtime, in its own words.
fn add_runtime(options: &Options, package: &Package, dry_run: bool) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["add", "--package", &package.name, "--manifest-path"]);
    command
        .arg(package.manifest_path.as_std_path())
        .stdin(Stdio::null());
    if options.offline {
        command.arg("--offline");
    }
    if dry_run {
        command.arg("--dry-run");
    }
    match &options.path {
        Some(path) => command.arg("--path").arg(path),
        None => command.arg(format!("{RUNTIME}@{}", env!("CARGO_PKG_VERSION"))),
    };
    let status = command.status().context("could not run cargo")?;
    if !status.success() {
        let help = match options.path {
            Some(_) => "",
            None => {
                "\n  = help: with a clone of hotswap, name its folder: `cargo hotswap init \
                     --path …/hotswap-runtime`"
            }
        };
        bail!("`cargo add` could not add `{RUNTIME}`; nothing was changed{help}");
    }
    Ok(())
}

/// The manifests and the lock file as they were, to be put back if something fails later.
struct Restore(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Restore {
    fn of(package: &Package, workspace: &Path) -> Result<Self> {
        let files: BTreeSet<PathBuf> = [
            package.manifest_path.clone().into(),
            workspace.join("Cargo.toml"),
            workspace.join("Cargo.lock"),
        ]
        .into();
        let read = files.into_iter().map(|file| {
            let text = std::fs::read(&file).ok();
            (file, text)
        });
        Ok(Self(read.collect()))
    }

    fn put_back(&self) {
        for (file, text) in &self.0 {
            let done = match text {
                Some(text) => std::fs::write(file, text),
                None => std::fs::remove_file(file),
            };
            if let Err(error) = done
                && error.kind() != std::io::ErrorKind::NotFound
            {
                output::warning(&format!(
                    "{} could not be put back: {error}",
                    file.display()
                ));
            }
        }
    }
}

/// A path as the user would write it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}
