//! `cargo hotswap c`, `l`, `lm`, `mm`, `m` and `check`: the crates of a running program, as Erlang's shell has
//! its modules.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::message::{Outcome, OutcomeKind, Verb};
use super::verbs::{self, FAILED, VerbArgs};
use crate::output::{self, Format};
use crate::session::modules::ModuleStatus;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// What `c` takes.
#[derive(Debug, Clone, Args)]
pub struct CompileArgs {
    /// The crate, or its package
    #[arg(value_name = "CRATE")]
    module: String,
    #[command(flatten)]
    verb: VerbArgs,
}

/// What `l` takes.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The crate, or its package; all if it is left out
    #[arg(value_name = "CRATE")]
    module: Option<String>,
    #[command(flatten)]
    verb: VerbArgs,
}

/// What `m` takes.
#[derive(Debug, Clone, Args)]
pub struct ModulesArgs {
    /// The crate, or its package; all if it is left out
    #[arg(value_name = "CRATE")]
    module: Option<String>,
    #[command(flatten)]
    verb: VerbArgs,
}

/// What `m` and `mm` print with `--message-format=json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap m --message-format=json`, and of `mm`")]
pub struct ModulesLine {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The name of the program.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Why nothing is known; null if it is.
    pub error: Option<String>,
    /// The crates, dependencies first.
    pub modules: Vec<ModuleStatus>,
}

/// Compiles a crate, edited or not, and makes it live; the result is the exit code.
///
/// # Errors
///
/// Standard output can't be written.
pub fn compile(args: &CompileArgs) -> Result<i32> {
    let module = args.module.clone();
    verbs::run(Verb::Compile { module }, &args.verb)
}

/// Makes live what was edited and is not.
///
/// # Errors
///
/// As for [`compile`].
pub fn load(args: &LoadArgs) -> Result<i32> {
    let module = args.module.clone();
    verbs::run(Verb::Load { module }, &args.verb)
}

/// Shows the crates; only those with edits that are not live, if `edited` says so.
///
/// # Errors
///
/// As for [`compile`].
pub fn show(module: Option<&str>, args: &VerbArgs, edited: bool) -> Result<i32> {
    let mut line = ModulesLine {
        format: FORMAT,
        ..ModulesLine::default()
    };
    let verb = Verb::Modules {
        module: module.map(str::to_owned),
    };
    let asked = ask(verb, args, &mut line);
    line.modules
        .retain(|module| !edited || !module.edited.is_empty() || module.is_older);
    line.error = asked.err().map(|error| format!("{error:#}"));
    match (args.message_format, &line.error) {
        (Format::Json, _) => output::print(&(serde_json::to_string(&line)? + "\n"))?,
        (Format::Human, Some(error)) => output::error(error),
        (Format::Human, None) if edited => output::print(&of_edited(&line))?,
        (Format::Human, None) if module.is_some() => output::print(&in_full(&line))?,
        (Format::Human, None) => output::print(&table(&line))?,
    }
    Ok(if line.error.is_none() { 0 } else { FAILED })
}

/// As [`show`], with what `m` takes.
///
/// # Errors
///
/// As for [`compile`].
pub fn show_one(args: &ModulesArgs) -> Result<i32> {
    show(args.module.as_deref(), &args.verb, false)
}

fn ask(verb: Verb, args: &VerbArgs, line: &mut ModulesLine) -> Result<()> {
    let outcome: Outcome = verbs::perform(verb, &args.target, &mut line.name)?;
    if outcome.result != OutcomeKind::Done {
        bail!(outcome.message);
    }
    line.pid = outcome.pid.unwrap_or_default();
    line.modules = outcome.modules;
    Ok(())
}

fn table(line: &ModulesLine) -> String {
    let mut text = format!("{} (process {})\n", line.name, line.pid);
    let names = line.modules.iter().map(|module| module.name.len());
    let width = names.max().unwrap_or(0);
    for module in &line.modules {
        let ModuleStatus {
            name,
            kind,
            version,
            files,
            ..
        } = module;
        let plural = if *files == 1 { "" } else { "s" };
        let _ = write!(
            text,
            "  {name:<width$}  {kind}  version {version}, {files} file{plural}"
        );
        if !module.edited.is_empty() {
            let _ = write!(text, ", {} edited", module.edited.len());
        }
        if module.is_older {
            text.push_str(", older than what was saved");
        }
        text.push('\n');
    }
    text
}

fn in_full(line: &ModulesLine) -> String {
    let mut text = String::new();
    for module in &line.modules {
        let image = module.image.as_ref().map(|path| path.display().to_string());
        let _ = writeln!(text, "{} ({})", module.name, module.kind);
        for (field, value) in [
            ("package", module.package.clone()),
            ("version", module.version.to_string()),
            (
                "image",
                image.unwrap_or_else(|| "the program itself".to_owned()),
            ),
            (
                "sources",
                format!(
                    "{}, digest {}",
                    module.files,
                    module.digest.as_deref().unwrap_or("not known")
                ),
            ),
        ] {
            let _ = writeln!(text, "  {field:<8} {value}");
        }
        for file in &module.edited {
            let _ = writeln!(text, "  edited   {}", file.display());
        }
    }
    text
}

fn of_edited(line: &ModulesLine) -> String {
    if line.modules.is_empty() {
        return "what runs is what was saved\n".to_owned();
    }
    let mut text = String::new();
    for module in &line.modules {
        let title = format!("{} ({})", module.name, module.kind);
        for file in &module.edited {
            let _ = writeln!(text, "{title}  {}", file.display());
        }
    }
    if line.modules.iter().any(|module| module.is_older) {
        text.push_str(
            "what runs is older than what was saved: somebody reverted, or an edit could not go live\n  \
             = help: `cargo hotswap lm` tries again\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> ModulesLine {
        let module = |name: &str, kind: &str| ModuleStatus {
            name: name.to_owned(),
            package: "app".to_owned(),
            kind: kind.to_owned(),
            files: 1,
            ..ModuleStatus::default()
        };
        let mut edited = module("app_rules", "lib");
        edited.version = 3;
        edited.files = 2;
        edited.image = Some("/image".into());
        edited.digest = Some("ab".to_owned());
        edited.edited = vec!["/src/lib.rs".into()];
        ModulesLine {
            name: "app".to_owned(),
            pid: 5,
            modules: vec![edited, module("app", "bin")],
            ..ModulesLine::default()
        }
    }

    #[test]
    fn crates_for_people() {
        let mut line = line();
        let expected = "\
app (process 5)
  app_rules  lib  version 3, 2 files, 1 edited
  app        bin  version 0, 1 file
";
        assert_eq!(table(&line), expected);
        let expected = "\
app_rules (lib)
  package  app
  version  3
  image    /image
  sources  2, digest ab
  edited   /src/lib.rs
app (bin)
  package  app
  version  0
  image    the program itself
  sources  1, digest not known
";
        assert_eq!(in_full(&line), expected);
        assert_eq!(of_edited(&line), "app_rules (lib)  /src/lib.rs\n");
        line.modules[1].is_older = true;
        assert!(table(&line).ends_with("version 0, 1 file, older than what was saved\n"));
        let text = of_edited(&line);
        assert!(text.contains("src/lib.rs\nwhat runs is older"), "{text}");
        line.modules.clear();
        assert_eq!(of_edited(&line), "what runs is what was saved\n");
    }
}
