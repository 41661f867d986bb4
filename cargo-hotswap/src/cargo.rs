//! Building with cargo, through the plugin.

use std::io::BufReader;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{Artifact, Message};

use crate::children;
use crate::plugin::{PLUGIN_VAR, PluginConfig};
use crate::profile;
use crate::project::Project;
use crate::selection::{Diagnostics, Selection};

pub mod environment;

/// How a build by cargo ended.
#[derive(Debug)]
pub enum Outcome {
    /// The executable stands.
    Built(Products),
    /// The compiler, a build script or cargo itself said no.
    Failed {
        /// What they said, as far as cargo did not write it to stderr.
        errors: Vec<String>,
        /// Whether somebody interrupted cargo: the number of the signal.
        signal: Option<i32>,
    },
}

/// What cargo told of a build.
#[derive(Debug, Default)]
pub struct Products {
    /// Where cargo put the executable.
    pub executable: PathBuf,
    /// The id of its package.
    pub package: String,
    /// Warnings of the compiler in rendered form, as far as cargo did not write them to stderr.
    pub warnings: Vec<String>,
    /// The packages whose libraries were compiled or found fresh.
    pub packages: Vec<UsedPackage>,
    /// What build scripts of the packages said about the program's environment.
    pub scripts: Vec<environment::Script>,
}

/// A package that the executable is made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedPackage {
    /// Its name.
    pub name: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Whether it comes from a folder of the user's, rather than from a registry or repository.
    pub local: bool,
}

/// Builds the project's executable; cargo tells on stderr what it does.
///
/// # Errors
///
/// Cargo can't be run, or its answer is not understood.
pub fn build(project: &Project, selection: &Selection) -> Result<Outcome> {
    build_shown(command(project, selection)?, project, selection)
}

/// Builds the project's executable as the user does without this tool; cargo tells on stderr what it does.
///
/// # Errors
///
/// As for [`build`].
pub fn build_plain(project: &Project, selection: &Selection) -> Result<Outcome> {
    build_shown(plain_command(project, selection), project, selection)
}

fn build_shown(mut command: Command, project: &Project, selection: &Selection) -> Result<Outcome> {
    let format = match selection.messages.diagnostics {
        Diagnostics::Collected => "json-diagnostic-rendered-ansi",
        Diagnostics::Shown => "json-render-diagnostics",
        Diagnostics::Short => "json-render-diagnostics,json-diagnostic-short",
    };
    command
        .args(["--message-format", format])
        .args(selection.shown_flags())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("could not run cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let said = read(BufReader::new(stdout), project)?;
    let status = child.wait().context("could not wait for cargo")?;
    said.outcome(status, "")
}

/// Builds the project's executable while the program has the terminal: cargo tells nothing, and
/// its own errors are part of the result.
///
/// # Errors
///
/// Cargo can't be run, or its answer is not understood.
pub fn build_unseen(project: &Project, selection: &Selection) -> Result<Outcome> {
    let format = match selection.messages.diagnostics {
        Diagnostics::Short => "json-diagnostic-rendered-ansi,json-diagnostic-short",
        _ => "json-diagnostic-rendered-ansi",
    };
    let mut command = command(project, selection)?;
    command.args(["--message-format", format, "--quiet", "--color", "always"]);
    let output = children::output(&mut command).context("could not run cargo")?;
    let said = read(&output.stdout[..], project)?;
    said.outcome(output.status, &String::from_utf8_lossy(&output.stderr))
}

/// What cargo says where it can't tell which executable is meant. Cargo is asked to run it, and
/// fails; should it not, because it sees something that the tool does not, nothing is run.
///
/// # Errors
///
/// Cargo can't be run.
pub fn explain(selection: &Selection) -> Result<ExitStatus> {
    let mut command = Command::new(program());
    command
        .arg("run")
        .args(selection.target_flags())
        .args(selection.cargo_flags())
        .args(selection.shown_flags());
    for target in ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"] {
        command.args(["--config", &format!("target.{target}.runner = 'true'")]);
    }
    let status = command.stdin(Stdio::null()).status();
    status.context("could not run cargo")
}

/// Cargo, as it called the tool.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What cargo wrote on stdout.
#[derive(Default)]
struct Said {
    executable: Option<PathBuf>,
    errors: Vec<String>,
    products: Products,
}

impl Said {
    fn outcome(mut self, status: ExitStatus, stderr: &str) -> Result<Outcome> {
        if !status.success() {
            let own = stderr.trim_start();
            if !own.is_empty() {
                self.errors.push(own.to_owned());
            }
            return Ok(Outcome::Failed {
                errors: self.errors,
                signal: status.signal(),
            });
        }
        self.products.executable = self.executable.context("cargo built no executable")?;
        Ok(Outcome::Built(self.products))
    }
}

fn read(stdout: impl std::io::BufRead, project: &Project) -> Result<Said> {
    let mut said = Said::default();
    for message in Message::parse_stream(stdout) {
        match message.context("could not read cargo's messages")? {
            Message::CompilerArtifact(artifact) => {
                said.products.packages.extend(used_package(&artifact));
                let executable = artifact.executable.map(PathBuf::from);
                if let Some(executable) = executable
                    && artifact.target.name == project.target
                {
                    said.executable = Some(executable);
                    said.products.package = artifact.package_id.repr;
                }
            }
            Message::CompilerMessage(message) => {
                let Some(text) = message.message.rendered else {
                    continue;
                };
                match message.message.level {
                    DiagnosticLevel::Warning => said.products.warnings.push(text),
                    _ => said.errors.push(text),
                }
            }
            Message::BuildScriptExecuted(script) => {
                said.products.scripts.push(environment::Script::of(script));
            }
            _ => {}
        }
    }
    Ok(said)
}

/// The package of a library.
fn used_package(artifact: &Artifact) -> Option<UsedPackage> {
    let target = &artifact.target;
    let library = !target.is_bin() && !target.is_example() && !target.is_custom_build();
    let id = &artifact.package_id.repr;
    let folder: PathBuf = artifact.manifest_path.parent()?.into();
    library.then(|| UsedPackage {
        name: package_name(id).to_owned(),
        local: id.starts_with("path+"),
        folder,
    })
}

/// The name in a package's id: `…/folder#version` stands for a name like the folder's.
pub fn package_name(id: &str) -> &str {
    let (source, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    let named = fragment.split_once('@').map(|(name, _)| name);
    let is_version = fragment.starts_with(|first: char| first.is_ascii_digit());
    match named {
        Some(name) => name,
        None if fragment.is_empty() || is_version => {
            let path = source.split('?').next().unwrap_or(source);
            path.rsplit('/').next().unwrap_or(path)
        }
        None => fragment,
    }
}

fn plain_command(project: &Project, selection: &Selection) -> Command {
    let mut command = Command::new(program());
    command
        .arg("build")
        .args(project.cargo_flags())
        .args(selection.cargo_flags());
    command
}

fn command(project: &Project, selection: &Selection) -> Result<Command> {
    let own = std::env::current_exe().context("could not find cargo-hotswap itself")?;
    let mut command = plain_command(project, selection);
    let mut config = user_wrappers();
    config.for_base = selection.for_base;
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
fn user_wrappers() -> PluginConfig {
    let configured = cargo_config2::Config::load().ok();
    let build = configured.map(|config| config.build);
    let own = std::env::current_exe().ok();
    let path = |path: Option<PathBuf>| {
        path.filter(|path| !path.as_os_str().is_empty() && Some(path) != own.as_ref())
            .map(|path| path.to_string_lossy().into_owned())
    };
    PluginConfig {
        rustc_wrapper: path(build.as_ref().and_then(|build| build.rustc_wrapper.clone())),
        workspace_wrapper: path(build.and_then(|build| build.rustc_workspace_wrapper)),
        for_base: false,
    }
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn ids_name_packages() {
        for (id, name) in [
            ("path+file:///w/app#0.1.0", "app"),
            ("path+file:///w/folder#app@0.1.0", "app"),
            (
                "registry+https://github.com/rust-lang/crates.io-index#syn@2.0.1",
                "syn",
            ),
            ("git+https://example.org/x/words?branch=main#0.1.0", "words"),
            ("https://example.org/x/words#other", "other"),
            ("app@1.2.3", "app@1.2.3"),
            ("app", "app"),
        ] {
            assert_eq!(package_name(id), name, "{id}");
        }
    }
}
