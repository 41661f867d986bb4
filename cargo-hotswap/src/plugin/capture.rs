//! What the plugin records about each hot crate, beside the crate's artefact.
//!
//! A capture is keyed by the artefact's file name: `deps/libgreet-1a2b.rlib` has
//! `deps/greet-1a2b.hotswap.json`, and an executable's link has `deps/app-1a2b.hotlink.json`.
//! Captures hold the environment that rustc had, so they are readable by their owner only.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::rustc_args::RustcArgs;

/// Version of the capture files; another version's are rebuilt.
pub const FORMAT: u32 = 3;

/// One hot crate's compilation, enough to repeat it without cargo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitCapture {
    /// [`FORMAT`].
    pub format: u32,
    /// The cargo package's name.
    pub package: String,
    /// The folder of the package's manifest.
    pub manifest_dir: PathBuf,
    /// The program to run: rustc, or the user's wrapper before it.
    pub program: Vec<String>,
    /// Its arguments, with the plugin's own adjustments.
    pub args: Vec<String>,
    /// The folder that rustc writes to. In the arguments a descriptor stands for it.
    pub out_dir: PathBuf,
    /// The folder that rustc ran in.
    pub cwd: PathBuf,
    /// The environment that rustc had.
    pub env: BTreeMap<String, String>,
}

impl UnitCapture {
    /// The arguments as a command line to ask things of.
    pub fn rustc_args(&self) -> RustcArgs {
        RustcArgs(self.args.clone())
    }

    /// The compiler, without arguments, to ask things of.
    ///
    /// # Errors
    ///
    /// The record names none.
    pub fn compiler(&self) -> Result<Command> {
        let (program, args) = self.program.split_first().context("no compiler")?;
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.cwd);
        // Which of rustup's toolchains is meant may stand there.
        let named = ["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "PATH"];
        let env = self.env.iter();
        command.envs(env.filter(|(name, _)| named.contains(&name.as_str())));
        Ok(command)
    }
}

/// One host link: what went into the executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCapture {
    /// [`FORMAT`].
    pub format: u32,
    /// The executable, as rustc named it.
    pub output: PathBuf,
    /// The executable crate's own objects, kept by the plugin.
    pub objects: Vec<PathBuf>,
    /// Hot libraries in the link: capture file and archive.
    pub hot_libraries: Vec<HotLibrary>,
    /// The other Rust libraries in the link.
    pub cold_libraries: Vec<PathBuf>,
    /// Shared libraries written in Rust, which can't be patched.
    pub dynamic_libraries: Vec<PathBuf>,
    /// What the plugin had to leave out of the whole-archive link, for the report.
    pub lazy_libraries: Vec<PathBuf>,
}

/// A hot library crate in a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotLibrary {
    /// Its [`UnitCapture`].
    pub capture: PathBuf,
    /// Its archive.
    pub archive: PathBuf,
}

/// The capture file of the artefact in `out_dir` with this stem.
pub fn unit_path(out_dir: &Path, stem: &str) -> PathBuf {
    out_dir.join(format!("{stem}.hotswap.json"))
}

/// The capture file of an rlib's or rmeta's crate: `lib` and the ending are not part of the stem.
pub fn unit_path_of_library(library: &Path) -> Option<PathBuf> {
    let stem = library.file_stem()?.to_str()?.strip_prefix("lib")?;
    Some(unit_path(library.parent()?, stem))
}

/// The link capture that belongs to an executable in cargo's `deps` folder.
pub fn link_path(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".hotlink.json");
    output.with_file_name(name)
}

/// Writes a capture so that a reader sees the old one or the new one, never a part.
///
/// # Errors
///
/// The folder can't be written.
pub fn store<T: Serialize>(path: &Path, capture: &T) -> Result<()> {
    let context = || format!("could not write {}", path.display());
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(context)?;
    let text = serde_json::to_vec(capture).with_context(context)?;
    file.write_all(&text).with_context(context)?;
    std::fs::rename(&temporary, path).with_context(context)
}

/// Reads a capture.
///
/// # Errors
///
/// The file is missing, unreadable, or of another format.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let value: serde_json::Value = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not a capture", path.display()))?;
    if value.get("format").and_then(serde_json::Value::as_u64) != Some(FORMAT.into()) {
        bail!(
            "{} was written by another version of cargo-hotswap",
            path.display()
        );
    }
    serde_json::from_value(value).with_context(|| format!("{} is not a capture", path.display()))
}
