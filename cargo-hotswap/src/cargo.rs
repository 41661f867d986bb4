//! Building with cargo, through the plugin.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use cargo_metadata::Message;
use cargo_metadata::diagnostic::DiagnosticLevel;

use crate::plugin::{PLUGIN_VAR, PluginConfig};
use crate::profile;
use crate::project::Project;
use crate::selection::Selection;

/// How a build by cargo ended.
#[derive(Debug)]
pub enum Outcome {
    /// The executable stands.
    Built {
        /// Where cargo put it.
        executable: PathBuf,
        /// What was compiled or found fresh, in rendered form.
        warnings: Vec<String>,
    },
    /// The compiler or a build script said no.
    Failed {
        /// The compiler's errors in rendered form; cargo's own errors are on stderr already.
        errors: Vec<String>,
    },
}

/// Builds the project's executable.
///
/// # Errors
///
/// Cargo can't be run, or its answer is not understood.
pub fn build(project: &Project, selection: &Selection) -> Result<Outcome> {
    let mut command = command(project, selection)?;
    let mut child = command.spawn().context("could not run cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut executable = None;
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for message in Message::parse_stream(BufReader::new(stdout)) {
        match message.context("could not read cargo's messages")? {
            Message::CompilerArtifact(artifact) if artifact.target.name == project.target => {
                executable = artifact.executable.map(PathBuf::from).or(executable);
            }
            Message::CompilerMessage(message) => {
                let Some(text) = message.message.rendered else {
                    continue;
                };
                let list = match message.message.level {
                    DiagnosticLevel::Error | DiagnosticLevel::Ice => &mut errors,
                    _ => &mut warnings,
                };
                list.push(text);
            }
            _ => {}
        }
    }
    let status = child.wait().context("could not wait for cargo")?;
    if !status.success() {
        return Ok(Outcome::Failed { errors });
    }
    let executable = executable.context("cargo built no executable")?;
    Ok(Outcome::Built {
        executable,
        warnings,
    })
}

fn command(project: &Project, selection: &Selection) -> Result<Command> {
    let own = std::env::current_exe().context("could not find cargo-hotswap itself")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .arg("--message-format=json-diagnostic-rendered-ansi")
        .args(project.cargo_flags())
        .args(selection.cargo_flags())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let config = user_wrappers(&project.workspace_root);
    if config.rustc_wrapper.is_some() {
        command.env("RUSTC_WRAPPER", &own);
    }
    command
        .env("RUSTC_WORKSPACE_WRAPPER", &own)
        .env(PLUGIN_VAR, config.to_env());
    for (variable, value) in profile::overrides(&project.workspace_root, selection.profile_name()) {
        command.env(variable, value);
    }
    Ok(command)
}

/// The wrappers that the user configured, in the environment or in cargo's configuration files.
fn user_wrappers(workspace: &Path) -> PluginConfig {
    let configured = cargo_config2::Config::load_with_cwd(workspace).ok();
    let build = configured.map(|config| config.build);
    let own = std::env::current_exe().ok();
    let path = |path: Option<PathBuf>| {
        path.filter(|path| !path.as_os_str().is_empty() && Some(path) != own.as_ref())
            .map(|path| path.to_string_lossy().into_owned())
    };
    PluginConfig {
        rustc_wrapper: path(build.as_ref().and_then(|build| build.rustc_wrapper.clone())),
        workspace_wrapper: path(build.and_then(|build| build.rustc_workspace_wrapper)),
    }
}
