//! Commands of cargo and of the tool, in an environment that the running test does not colour.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{package::Package, paths, script::Profile};

/// Variables that cargo set for the test, or that colour a build: not meant for the package.
const FOREIGN: [&str; 13] = [
    "CARGO_BIN_",
    "CARGO_BUILD_",
    "CARGO_CRATE_",
    "CARGO_ENCODED_",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "HOTSWAP_",
    "RUSTC",
    "RUSTFLAGS",
];

/// A command line to run the tool's programs with, such as valgrind's; what it says on stderr behind `==` fails a test.
const RUNNER_VARIABLE: &str = "HOTSWAP_TESTS_RUNNER";
/// Where cargo, and so the tool, looks for it.
const CARGO_RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";

/// Variables under which programs are built and run, as lines of `NAME=VALUE`; they are taken for those of a
/// sanitizer, whose reports begin as valgrind's do.
const VARIABLES_VARIABLE: &str = "HOTSWAP_TESTS_VARIABLES";

/// What the profile `dev` has of debug information.
const DEBUG_VARIABLE: &str = "CARGO_PROFILE_DEV_DEBUG";

/// A program that runs in the package's folder.
fn command(program: PathBuf, package: &Package) -> Result<Command> {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if FOREIGN
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
        .env_remove("LD_LIBRARY_PATH")
        .current_dir(&package.root);
    if let Some(target) = package.shared_target()? {
        command.env("CARGO_TARGET_DIR", target);
    }
    command.envs(variables());
    command.envs(package.env.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// What is said of the variables of programs.
fn variables() -> Vec<(String, String)> {
    let text = env::var(VARIABLES_VARIABLE).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pairs.collect()
}

/// Whether something looks at each access of programs, and tells of it behind `==`.
pub(crate) fn is_checked() -> bool {
    runner().is_some() || !variables().is_empty()
}

/// Plain cargo.
///
/// # Errors
///
/// When the tests run outside a target folder.
pub fn cargo(package: &Package) -> Result<Command> {
    command(paths::cargo_path(), package)
}

/// `cargo hotswap`, as cargo calls it.
///
/// # Errors
///
/// When the tool does not build.
pub fn hotswap(package: &Package) -> Result<Command> {
    let mut command = command(paths::tool()?.to_path_buf(), package)?;
    command.env("CARGO", paths::cargo_path()).arg("hotswap");
    Ok(command)
}

/// `cargo hotswap run` with events as JSON.
///
/// # Errors
///
/// When the tool does not build.
pub fn hotswap_run(package: &Package, arguments: &[String]) -> Result<Command> {
    let mut command = hotswap(package)?;
    if let Some(runner) = runner() {
        command.env(CARGO_RUNNER, runner);
    }
    command.args(["run", "--message-format=json"]);
    command.args(profile_flag(package)).args(arguments);
    Ok(command)
}

/// What the tool runs programs with, if that is said.
#[must_use]
pub fn runner() -> Option<OsString> {
    env::var_os(RUNNER_VARIABLE).filter(|runner| !runner.is_empty())
}

/// Another verb of `cargo hotswap`, as cargo calls it.
///
/// # Errors
///
/// When the tool does not build.
pub fn hotswap_verb(package: &Package, arguments: &[&str]) -> Result<Command> {
    let mut command = hotswap(package)?;
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// The executable that plain cargo builds, ready to be started.
///
/// # Errors
///
/// When the package does not build, with the compiler's words.
pub fn build_plain(package: &Package, arguments: &[String]) -> Result<Command> {
    let mut halves = arguments.splitn(2, |argument| argument == "--");
    let flags = halves.next().unwrap_or_default();
    let mut build = cargo(package)?;
    // Few ask this program for lines, and without them there is less to compile and to link.
    if !package.env.iter().any(|(name, _)| name == DEBUG_VARIABLE) {
        build.env(DEBUG_VARIABLE, "none");
    }
    build
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(flags);
    let output = build.args(profile_flag(package)).output()?;
    if !output.status.success() {
        bail!(
            "plain cargo does not build it:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let executable = paths::executable_in(&output.stdout).context("cargo made no executable")?;
    let mut run = command(executable, package)?;
    run.args(halves.next().unwrap_or_default());
    Ok(run)
}

/// Whether plain cargo accepts all targets, with the compiler's words.
///
/// # Errors
///
/// When cargo cannot be run.
pub fn check(package: &Package) -> Result<(bool, String)> {
    let output = cargo(package)?
        .args(["check", "--workspace", "--all-targets", "--quiet"])
        .stdin(Stdio::null())
        .output()?;
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn profile_flag(package: &Package) -> Option<&'static str> {
    (package.profile == Profile::Release).then_some("--release")
}
