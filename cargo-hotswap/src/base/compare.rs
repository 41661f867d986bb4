//! `cargo hotswap build --compare`: what it costs that a program can be patched, beside the same program as plain cargo
//! builds it.
//!
//! Everything is a ratio to the user's own profile as it is, since that is what would run otherwise.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use super::build::{self, Made};
use crate::cargo;
use crate::keep::keep;
use crate::output;
use crate::profile::Profiles;
use crate::selection::Selection;
use crate::session::folder::PARENT;
use crate::statistics::{factor, median};

mod measure;
mod processes;
mod text;

pub use measure::Of;
use measure::{Program, Times};

/// Where the builds to compare with are, below the folder of runs.
const FOLDER: &str = "compare";

/// The file in it that is locked while they are in use.
const LOCK: &str = "lock";

/// Whether to compare, and how.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Also build the program without the tool, by your profile as it is, and print sizes of both
    #[arg(
        long,
        value_enum,
        value_name = "WITH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "fat-lto"
    )]
    compare: Option<With>,
    /// Have `sh` run this command, which does a fixed amount of work with the program in HOTSWAP_PROGRAM, with each
    /// build in turn, and print the CPU time that they take; implies --compare
    #[arg(long, value_name = "COMMAND")]
    compare_run: Option<String>,
    /// How often it is run with each build, after once that is not counted
    #[arg(
        long,
        value_name = "N",
        requires = "compare_run",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(2..)
    )]
    compare_rounds: u32,
}

/// What the patchable build is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum With {
    /// Your profile, and the same with fat link-time optimisation where it has none
    FatLto,
    /// Your profile alone, which is one full build less
    Own,
}

/// How a program was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// By plain cargo and the user's profile as it is.
    Own,
    /// By plain cargo and that profile, but with fat link-time optimisation, each crate as one unit.
    FatLto,
    /// As it takes patches.
    Patchable,
}

/// What builds of one program cost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Comparison {
    /// The name of the user's profile.
    profile: String,
    /// What was run with each build.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// The builds: the user's own profile first, the patchable one last.
    builds: Vec<Compared>,
}

/// A command that was run with each build.
#[derive(Debug, Serialize, JsonSchema)]
struct Run {
    /// The command.
    command: String,
    /// How often it was run with each, but for the first time.
    rounds: u32,
    /// Whose CPU time was measured.
    of: Of,
}

/// One build.
#[derive(Debug, Serialize, JsonSchema)]
struct Compared {
    /// How it was built.
    build: Kind,
    /// The executable.
    executable: PathBuf,
    /// Bytes of the file.
    file_bytes: u64,
    /// Bytes of it that are loaded when it runs.
    loaded_bytes: u64,
    /// `file_bytes` by that of the user's own profile.
    file_ratio: f64,
    /// `loaded_bytes` by that of the user's own profile.
    loaded_ratio: f64,
    /// The CPU time, if a command was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
}

/// CPU time, user and system.
#[derive(Debug, Serialize, JsonSchema)]
struct Cpu {
    /// The median of all rounds.
    median_seconds: f64,
    /// The mean ratio to the user's own profile in the same round, by logarithms.
    ratio: f64,
    /// Between this and `to` the ratio lies with 95 % confidence.
    from: f64,
    /// See `from`.
    to: f64,
}

/// Where the builds to compare with are in a target folder.
pub fn folder(target: &Path) -> PathBuf {
    target.join(PARENT).join(FOLDER)
}

/// Whether somebody builds or measures in this folder.
pub fn is_in_use(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK)).map(|lock| lock.try_lock());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Builds what the program shall be compared with and compares, if that was asked for.
///
/// # Errors
///
/// It does not build without the tool, or the command to measure fails.
pub fn run(made: &Made, selection: &Selection, args: &CompareArgs) -> Result<Option<Comparison>> {
    let Some(with) = args.with() else {
        return Ok(None);
    };
    let project = &made.launch.project;
    let profile = selection.profile_name();
    let folder = folder(&project.target_directory);
    let _lock = lock(&folder)?;
    let has_fat_lto = Profiles::read(&project.workspace_root).has_fat_lto(profile);
    let mut executables = Vec::new();
    for kind in with.kinds(has_fat_lto) {
        let executable = plain(made, selection, kind, &folder)?;
        executables.push((kind, executable));
    }
    executables.push((Kind::Patchable, made.launch.built.executable.clone()));
    let measured = match &args.compare_run {
        Some(command) => {
            let quiet = selection.messages.quiet;
            let programs = programs(&executables, profile);
            Some(measured(command, &programs, args.compare_rounds, quiet)?)
        }
        None => None,
    };
    let (run, times) = measured.unzip();
    Ok(Some(Comparison {
        profile: profile.to_owned(),
        run,
        builds: compared(executables, times.as_ref())?,
    }))
}

impl CompareArgs {
    fn with(&self) -> Option<With> {
        let implied = self.compare_run.as_ref().map(|_| With::FatLto);
        self.compare.or(implied)
    }
}

impl With {
    /// What is built to compare with; the ratios are to the first.
    fn kinds(self, has_fat_lto: bool) -> Vec<Kind> {
        match self {
            Self::FatLto if !has_fat_lto => vec![Kind::Own, Kind::FatLto],
            Self::FatLto | Self::Own => vec![Kind::Own],
        }
    }
}

impl Kind {
    /// What cargo is told beside the user's profile.
    fn settings(self, profile: &str) -> Vec<String> {
        let settings: &[&str] = match self {
            // The compiler refuses the first together with incremental compilation.
            Self::FatLto => &["lto='fat'", "codegen-units=1", "incremental=false"],
            Self::Own | Self::Patchable => &[],
        };
        let setting = |setting: &&str| format!("profile.{profile}.{setting}");
        settings.iter().map(setting).collect()
    }
}

impl Comparison {
    /// Tells people of it.
    pub fn tell(&self) {
        for (verb, text) in text::lines(self) {
            output::status(verb, &text);
        }
    }
}

/// Takes the folder for this process alone.
fn lock(folder: &Path) -> Result<File> {
    let context = || format!("could not use {}", folder.display());
    fs::create_dir_all(folder).with_context(context)?;
    let lock = File::create(folder.join(LOCK)).with_context(context)?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        output::status(
            "Blocking",
            "until another comparison in this target folder ends",
        );
        lock.lock().with_context(context)?;
    }
    Ok(lock)
}

/// Builds the program by plain cargo, in this folder.
///
/// All such builds share it, so that procedural macros and build scripts are built once. Where cargo puts the
/// executable the next one comes, so each is kept under a name of its own.
fn plain(made: &Made, selection: &Selection, kind: Kind, folder: &Path) -> Result<PathBuf> {
    let project = &made.launch.project;
    let profile = selection.profile_name();
    if !selection.messages.quiet {
        let text = text::building(&project.target, kind, profile, folder);
        output::status("Comparing", &text);
    }
    let mut selection = selection.clone();
    selection.target_dir = Some(folder.to_owned());
    // The last one wins.
    selection.messages.config.extend(kind.settings(profile));
    let cargo::Outcome::Built(products) = cargo::build_plain(project, &selection)? else {
        bail!(
            "there is nothing to compare with: {} can't be built without the tool, by {}",
            project.target,
            text::name(kind, profile)
        );
    };
    let own = folder.join(text::folder(kind));
    fs::create_dir_all(&own).with_context(|| format!("could not make {}", own.display()))?;
    let kept = own.join(products.executable.file_name().unwrap_or_default());
    keep(&products.executable, &kept)?;
    Ok(kept)
}

fn programs<'a>(executables: &'a [(Kind, PathBuf)], profile: &str) -> Vec<Program<'a>> {
    let program = |(kind, path): &'a (Kind, PathBuf)| Program {
        name: text::name(*kind, profile),
        path,
    };
    executables.iter().map(program).collect()
}

fn measured(
    command: &str,
    programs: &[Program<'_>],
    rounds: u32,
    quiet: bool,
) -> Result<(Run, Times)> {
    if !quiet {
        let builds = programs.len();
        let text = format!("{rounds} rounds, and one before, of `{command}` with {builds} builds");
        output::status("Measuring", &text);
    }
    let times = measure::measure(command, programs, rounds)?;
    let run = Run {
        command: command.to_owned(),
        rounds,
        of: times.of,
    };
    Ok((run, times))
}

fn compared(executables: Vec<(Kind, PathBuf)>, times: Option<&Times>) -> Result<Vec<Compared>> {
    let mut all: Vec<Compared> = Vec::new();
    for (at, (build, executable)) in executables.into_iter().enumerate() {
        let bytes = fs::read(&executable)
            .with_context(|| format!("could not read {}", executable.display()))?;
        let (file_bytes, loaded_bytes) = (bytes.len() as u64, build::loaded_bytes(&bytes)?);
        let (own_file, own_loaded) = all.first().map_or((file_bytes, loaded_bytes), |own| {
            (own.file_bytes, own.loaded_bytes)
        });
        all.push(Compared {
            build,
            executable,
            file_bytes,
            loaded_bytes,
            file_ratio: file_bytes as f64 / own_file as f64,
            loaded_ratio: loaded_bytes as f64 / own_loaded as f64,
            cpu: times.map(|times| cpu(&times.seconds[at], &times.seconds[0])),
        });
    }
    Ok(all)
}

fn cpu(seconds: &[f64], own: &[f64]) -> Cpu {
    let (ratio, (from, to)) = factor(seconds, own);
    Cpu {
        median_seconds: median(seconds),
        ratio,
        from,
        to,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{CompareArgs, Kind};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        compare: CompareArgs,
    }

    #[test]
    fn what_is_built_to_compare_with() {
        let own = &[Kind::Own][..];
        let both = &[Kind::Own, Kind::FatLto][..];
        for (given, has_fat_lto, expected) in [
            ("", false, &[][..]),
            ("--compare", false, both),
            ("--compare", true, own),
            ("--compare=fat-lto", false, both),
            ("--compare=own", false, own),
            ("--compare-run work", false, both),
            ("--compare-run work", true, own),
            ("--compare-run work --compare=own", false, own),
        ] {
            let words = std::iter::once("build").chain(given.split_whitespace());
            let args = Line::try_parse_from(words).expect(given).compare;
            let kinds = args.with().map(|with| with.kinds(has_fat_lto));
            assert_eq!(kinds.unwrap_or_default(), expected, "{given}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for given in [
            "--compare own",
            "--compare=thin",
            "--compare-rounds 5",
            "--compare-run work --compare-rounds 1",
        ] {
            let words = std::iter::once("build").chain(given.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{given}");
        }
    }

    #[test]
    fn only_fat_lto_changes_the_profile() {
        assert!(Kind::Own.settings("release").is_empty());
        assert_eq!(
            Kind::FatLto.settings("my-own"),
            [
                "profile.my-own.lto='fat'",
                "profile.my-own.codegen-units=1",
                "profile.my-own.incremental=false",
            ]
        );
    }
}
