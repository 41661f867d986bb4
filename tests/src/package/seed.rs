//! A target folder in which the runtime is built already, to be copied: the one that scenarios share begins so, and
//! a package that has a target folder of its own would compile it anew.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    compile::cargo,
    package::{Package, TargetFolder},
    paths,
};

/// Copies it to `target`, which must not stand yet.
///
/// # Errors
///
/// When it does not build, or can't be copied.
pub fn plant(target: &Path) -> Result<()> {
    // With their times, by which cargo knows that they are up to date.
    let mut copy = Command::new("cp");
    let status = copy.arg("--archive").arg(seed()?).arg(target).status()?;
    ensure!(status.success(), "cp ended with {status}");
    Ok(())
}

/// The target folder that scenarios share, which begins as a copy.
pub fn shared() -> Result<PathBuf> {
    static PLANTED: OnceLock<Result<(), String>> = OnceLock::new();
    let target = paths::target()?.join("scenarios").join("build");
    PLANTED
        .get_or_init(|| plant_once(&target).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))?;
    Ok(target)
}

/// Copies it to `target`, unless that stands.
pub fn plant_once(target: &Path) -> Result<()> {
    if target.exists() {
        return Ok(());
    }
    // Whole or not at all, should this process be killed.
    let folder = target.parent().context("it is in a folder")?;
    fs::create_dir_all(folder)?;
    let beside = tempfile::tempdir_in(folder)?;
    let copy = beside.path().join("build");
    plant(&copy)?;
    Ok(fs::rename(copy, target)?)
}

/// Built once for each test process, by cargo alone.
fn seed() -> Result<&'static Path> {
    static SEED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    SEED.get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    let target = paths::target()?.join("scenarios").join("seed");
    let mut package = Package::of_source("seed", "fn main() {}\n")?;
    package.target = TargetFolder::Own;
    let mut build = cargo(&package)?;
    build.args(["build", "--target-dir"]).arg(&target);
    let output = build.output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the seed does not build:\n{words}");
    Ok(target)
}
