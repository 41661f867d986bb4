//! Where the workspace, its target folder and the tool under test are.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

/// Names a tool that is already built, instead of building it.
const TOOL_VARIABLE: &str = "HOTSWAP_TESTS_TOOL";

/// The root of this workspace.
///
/// # Panics
///
/// Never: this package lies in a folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
}

/// The folder of all scenarios.
#[must_use]
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The target folder that the running test itself was built in.
///
/// # Errors
///
/// When the running executable does not lie in a target folder.
pub fn target() -> Result<PathBuf> {
    let executable = env::current_exe()?;
    executable
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .map(Path::to_path_buf)
        .with_context(|| format!("{} is in no target folder", executable.display()))
}

/// The tool under test, built once for each test process.
///
/// # Errors
///
/// When it does not build.
pub fn tool() -> Result<&'static Path> {
    static TOOL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    TOOL.get_or_init(|| build_tool().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("the tool does not build: {error}"))
}

fn build_tool() -> Result<PathBuf> {
    if let Some(path) = env::var_os(TOOL_VARIABLE) {
        return Ok(path.into());
    }
    // Under `cargo test --workspace` this finds the tool that is built already, with the features
    // that the whole workspace asks its dependencies for; a plain build would make another one.
    let output = Command::new(cargo_path())
        .args([
            "test",
            "--workspace",
            "--no-run",
            "--test",
            "help",
            "--message-format=json-render-diagnostics",
        ])
        .arg("--target-dir")
        .arg(target()?)
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "cargo ended with {}",
        output.status
    );
    let is_tool = |path: &PathBuf| path.ends_with("cargo-hotswap");
    executables_in(&output.stdout)
        .find(is_tool)
        .context("cargo named no executable of the tool")
}

/// The last executable that cargo's messages name.
pub(crate) fn executable_in(messages: &[u8]) -> Option<PathBuf> {
    executables_in(messages).last()
}

fn executables_in(messages: &[u8]) -> impl Iterator<Item = PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The cargo that runs the tests, or the one on the path.
pub(crate) fn cargo_path() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
