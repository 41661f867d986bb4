//! `cargo hotswap build`: an executable that can be patched while it runs, and its base.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, SectionFlags, SectionKind};
use schemars::JsonSchema;
use serde::Serialize;
use toml::Value;

use super::Base;
use super::compare::{self, CompareArgs, Comparison};
use crate::death;
use crate::events::Event;
use crate::facts::Cache;
use crate::host::Host;
use crate::output::{self, Format};
use crate::profile::Profiles;
use crate::project::Project;
use crate::selection::{Diagnostics, Selection};
use crate::session::launch::{self, Launch};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// What `build` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// What to build.
    #[command(flatten)]
    pub selection: Selection,
    /// What to compare it with.
    #[command(flatten)]
    compare: CompareArgs,
    /// How to tell what was built, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What was built.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap build --message-format=json`")]
pub struct Line<'a> {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    format: u32,
    /// The executable.
    executable: &'a Path,
    /// Its base.
    base: &'a Path,
    /// Its build id, by which patches name it.
    build_id: String,
    /// Its entries.
    entries: Vec<&'a str>,
    /// Bytes of the file.
    file_bytes: u64,
    /// Bytes of it that are loaded when it runs.
    loaded_bytes: u64,
    /// The compiler, as it tells its version at length.
    toolchain: &'a str,
    /// What is set otherwise than the user's profile has it, and what that costs.
    notes: Vec<String>,
    /// What it costs beside the user's own profile, if that was asked for and could be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

/// A program that stands, and its base.
#[derive(Debug)]
pub struct Made {
    /// What was built.
    pub launch: Launch,
    /// What is in the base.
    pub base: Base,
    /// Where it is.
    pub path: PathBuf,
    /// The entries' paths.
    pub entries: Vec<String>,
}

/// Builds the program and writes its base; the result is the exit code.
///
/// # Errors
///
/// The program is not one that can be patched, its base can't be written, or what it shall be compared with fails.
pub fn run(options: &Options) -> Result<i32> {
    let mut selection = options.selection.clone();
    selection.messages.diagnostics = Diagnostics::Shown;
    let made = match make(Project::find(&selection)?, &selection)? {
        Ok(made) => made,
        Err(code) => return Ok(code),
    };
    let executable = &made.launch.built.executable;
    let bytes = std::fs::read(executable)
        .with_context(|| format!("could not read {}", executable.display()))?;
    let mut line = Line {
        format: FORMAT,
        executable,
        base: &made.path,
        build_id: made.base.build_id.to_string(),
        entries: made.entries.iter().map(String::as_str).collect(),
        file_bytes: bytes.len() as u64,
        loaded_bytes: loaded_bytes(&bytes)?,
        toolchain: &made.base.toolchain,
        notes: notes(&made.launch, &selection),
        comparison: None,
    };
    let json = options.message_format == Format::Json;
    if !json {
        tell(&line);
    }
    // What was built stands, and is told of, whatever comes of this.
    let compared = compare::run(&made, &selection, &options.compare).map(|comparison| {
        line.comparison = comparison;
    });
    if json {
        output::print(&(serde_json::to_string(&line)? + "\n"))?;
    } else if let Some(comparison) = &line.comparison {
        comparison.tell();
    }
    compared.map(|()| 0)
}

/// Builds a program and writes its base; if it does not compile, which cargo has told, the result is the exit code.
///
/// # Errors
///
/// The program is not one that can be patched, or its base can't be written.
pub fn make(project: Project, selection: &Selection) -> Result<Result<Made, i32>> {
    let selection = &Selection {
        for_base: true,
        ..selection.clone()
    };
    let launch = match launch::build(project, selection)? {
        launch::Outcome::Ready(launch) => *launch,
        launch::Outcome::No { event, .. } => return not_built(&event).map(Err),
    };
    let Launch { project, built, .. } = &launch;
    let host = Host::read(&built.executable, &built.units, &Cache::default())?;
    if host.entries.is_empty() {
        bail!(
            "no function is marked, so no patch could change anything\n  = help: mark one that is \
             called again and again (a handler, a frame) with `#[hotswap::entry]`"
        );
    }
    let base = Base::of(
        project,
        selection.profile_name(),
        (&built.units, &built.link, &host),
    )?;
    let path = path_of(&built.executable);
    base.write(&path)?;
    let entries = host.entries.iter().map(|it| it.path.clone()).collect();
    Ok(Ok(Made {
        launch,
        base,
        path,
        entries,
    }))
}

/// The base of an executable.
fn path_of(executable: &Path) -> PathBuf {
    let mut name = executable.file_name().unwrap_or_default().to_owned();
    name.push(".hotswap");
    executable.with_file_name(name)
}

fn not_built(event: &Event) -> Result<i32> {
    match event {
        // Cargo has told.
        Event::CompileError { .. } => Ok(death::PANIC_CODE),
        Event::Refused { message, .. } => bail!("{}", message.trim_end()),
        other => bail!("the program could not be built: {other:?}"),
    }
}

/// What is set otherwise than the user has it, and what can't be done.
fn notes(launch: &Launch, selection: &Selection) -> Vec<String> {
    let mut notes = vec![
        "code of the workspace: full debug information, which stays in the target folder unless the profile has some, \
         statics as they are written, equal functions not merged, no link-time optimisation; all libraries are linked \
         in full and export their symbols"
            .to_owned(),
    ];
    notes.extend(launch.warnings(selection).into_iter().filter_map(message));
    let profiles = Profiles::read(&launch.project.workspace_root);
    notes.extend(units_note(launch, &profiles, selection.profile_name()));
    let panic = profiles.get(selection.profile_name(), "panic");
    if panic.is_some_and(|panic| panic.value == Value::String("abort".to_owned())) {
        notes.push(
            "`panic = \"abort\"`: a panic ends the program, so it can't go back from a patch that \
             panics"
                .to_owned(),
        );
    }
    notes
}

/// In how many units crates are optimised.
fn units_note(launch: &Launch, profiles: &Profiles, profile: &str) -> Option<String> {
    let mut lines = launch
        .built
        .units
        .iter()
        .map(|unit| unit.capture.rustc_args());
    if !lines.any(|line| line.is_optimised()) {
        return None;
    }
    match profiles.get(profile, "codegen-units") {
        Some(setting) if setting.value == Value::Integer(1) => None,
        Some(setting) => Some(format!(
            "`codegen-units = {}` of {} is followed; without link-time optimisation nothing is inlined between units, \
             so leave it out, or set it to 1, for code as fast as your profile's",
            setting.value, setting.origin
        )),
        None => Some(
            "each crate of the workspace is optimised as one unit, which takes longer to compile than several; \
             `codegen-units` in the profile would be followed"
                .to_owned(),
        ),
    }
}

fn message(event: Event) -> Option<String> {
    match event {
        Event::Warning { message } => Some(message),
        _ => None,
    }
}

/// How many bytes of an executable are loaded when it runs.
///
/// # Errors
///
/// It is none.
pub fn loaded_bytes(bytes: &[u8]) -> Result<u64> {
    let file = object::File::parse(bytes).context("the executable can't be read")?;
    let loaded = file.sections().filter(|section| {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            return false;
        };
        let empty = [
            SectionKind::UninitializedData,
            SectionKind::UninitializedTls,
        ];
        sh_flags & u64::from(object::elf::SHF_ALLOC) != 0 && !empty.contains(&section.kind())
    });
    Ok(loaded.map(|section| section.size()).sum())
}

fn tell(line: &Line<'_>) {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    for note in &line.notes {
        output::status("Set", note);
    }
    let entries = match line.entries.len() {
        1 => "1 entry".to_owned(),
        more => format!("{more} entries"),
    };
    let text = format!(
        "{} ({entries}; {}, of which {} are loaded)",
        line.executable.display(),
        megabytes(line.file_bytes),
        megabytes(line.loaded_bytes)
    );
    output::status("Patchable", &text);
    let text = format!(
        "{} (build id {}); patches are built from it and from the target folder",
        line.base.display(),
        line.build_id
    );
    output::status("Base", &text);
}
