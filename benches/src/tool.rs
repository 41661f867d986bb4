//! The tool under measurement, and what it says about a swap.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;
use hotswap_tests::Event;
use serde_json::Value;

use crate::work::Work;

/// Variables that cargo set for the bench, or that colour a build: not meant for the package.
const FOREIGN: [&str; 8] = [
    "CARGO_BUILD_",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "HOTSWAP_",
    "LD_LIBRARY_PATH",
    "RUSTFLAGS",
];

/// Builds the tool in release, as a user installs it.
///
/// # Errors
///
/// It does not build.
pub fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "cargo-hotswap"])
        .args([
            "--bin",
            "cargo-hotswap",
            "--message-format=json-render-diagnostics",
        ])
        .arg("--target-dir")
        .arg(hotswap_tests::target()?)
        .current_dir(hotswap_tests::workspace())
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "the tool does not build");
    let mut executable = None;
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message? {
            executable = artifact.executable.or(executable);
        }
    }
    Ok(executable.context("cargo names no executable")?.into())
}

/// `cargo hotswap run` with these flags in the package's folder.
pub fn run(tool: &Path, work: &Work, flags: &[&str]) -> Command {
    let mut command = command(tool, work);
    command
        .args(["hotswap", "run", "--message-format=json"])
        .args(flags);
    command
}

/// A program in the package's folder, which sees nothing of the bench's own build.
pub fn command(program: impl AsRef<OsStr>, work: &Work) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if FOREIGN.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
        .env("CARGO_TARGET_DIR", &work.target)
        .current_dir(&work.root);
    command
}

/// The JSON object that a verb of the tool prints.
///
/// # Errors
///
/// It prints none; what it says of that is in the error.
pub fn says(mut verb: Command) -> Result<Value> {
    let output = verb.arg("--message-format=json").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| said.into_owned())
}

/// The phases of a swap, in the order in which they happen.
pub const PHASES: [&str; 5] = ["detect", "compile", "check", "link", "load"];

/// Milliseconds of each phase, from a `swapped` event.
///
/// # Errors
///
/// The event has no such figures.
pub fn phases(event: &Event) -> Result<[f64; PHASES.len()]> {
    let value: Value = serde_json::from_str(&event.to_string())?;
    let mut phases = [0.0; PHASES.len()];
    for (phase, name) in phases.iter_mut().zip(PHASES) {
        let ms = value["phases"][name].as_f64();
        *phase = ms.with_context(|| format!("{event} has no phase {name}"))?;
    }
    Ok(phases)
}
