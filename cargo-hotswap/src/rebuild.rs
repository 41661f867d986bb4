//! Compiling hot crates again without cargo: rustc's captured command lines, replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::plugin::linker::{LinkMode, LinkRequest};
use crate::plugin::{LINK_VAR, capture::UnitCapture, wrapper};
use crate::unit::{self, Unit, UnitKind, dep_info};

/// Variables by which cargo lends rustc its job server; a replay has none.
const JOB_SERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// How a replay ended.
#[derive(Debug)]
pub enum Outcome {
    /// The crate compiled; its objects and sources in the unit are new.
    Compiled {
        /// Warnings in rendered form.
        warnings: Vec<String>,
    },
    /// The compiler said no; the unit is as it was.
    Failed {
        /// Errors in rendered form.
        errors: Vec<String>,
    },
}

/// Where replays of one program write, and what they wrote last.
#[derive(Debug)]
pub struct Replays {
    folder: PathBuf,
    /// Published artefacts by unit stem: for dependents they stand in for cargo's.
    published: BTreeMap<String, PathBuf>,
}

impl Replays {
    /// Replays that write below this folder, which must be one program's own.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            published: BTreeMap::new(),
        }
    }

    /// Forgets all replays: cargo has built everything anew.
    pub fn forget(&mut self) {
        self.published.clear();
    }

    /// Compiles a unit.
    ///
    /// # Errors
    ///
    /// rustc can't be run or its artefacts can't be read; not that it found errors.
    pub fn compile(&mut self, unit: &mut Unit) -> Result<Outcome> {
        let out_dir = self.folder.join("out");
        std::fs::create_dir_all(&out_dir)
            .with_context(|| format!("could not make {}", out_dir.display()))?;
        let objects = self.folder.join("objects").join(&unit.stem);
        let capture = self.adjusted(unit, &out_dir, &objects)?;
        let mut command = wrapper::command(&capture)?;
        for variable in JOB_SERVER {
            command.env_remove(variable);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("could not run {}", capture.program.join(" ")))?;
        let (errors, warnings) = diagnostics(&output.stderr);
        if !output.status.success() {
            let errors = if errors.is_empty() {
                vec![format!(
                    "rustc ended with {} while it compiled `{}`\n{}",
                    output.status,
                    unit.name,
                    String::from_utf8_lossy(&output.stderr)
                )]
            } else {
                errors
            };
            return Ok(Outcome::Failed { errors });
        }
        unit.sources = dep_info::read(&out_dir.join(format!("{}.d", unit.stem)), &capture.cwd)?;
        unit.objects = match unit.kind {
            UnitKind::Library => {
                unit::library_objects(&out_dir.join(format!("lib{}.rlib", unit.stem)))?
            }
            UnitKind::Executable => unit::read_objects(&files(&objects)?)?,
        };
        Ok(Outcome::Compiled { warnings })
    }

    /// Lets dependents compile against the newest artefact of a library, once it has one.
    ///
    /// # Errors
    ///
    /// The artefact can't be moved.
    pub fn publish(&mut self, unit: &Unit) -> Result<()> {
        if unit.kind != UnitKind::Library {
            return Ok(());
        }
        let (from, to) = (self.folder.join("out"), self.published_folder());
        std::fs::create_dir_all(&to).with_context(|| format!("could not make {}", to.display()))?;
        for ending in ["rmeta", "rlib"] {
            let name = format!("lib{}.{ending}", unit.stem);
            let context = || format!("could not move {name} to {}", to.display());
            std::fs::rename(from.join(&name), to.join(&name)).with_context(context)?;
        }
        let archive = to.join(format!("lib{}.rlib", unit.stem));
        self.published.insert(unit.stem.clone(), archive);
        Ok(())
    }

    fn published_folder(&self) -> PathBuf {
        self.folder.join("published")
    }

    /// The captured command, writing to the replay's folders and reading published dependencies.
    fn adjusted(&self, unit: &Unit, out_dir: &Path, objects: &Path) -> Result<UnitCapture> {
        let mut capture = unit.capture.clone();
        let mut args = capture.rustc_args();
        for at in 0..args.0.len() {
            let Some(path) = args.0[at].rsplit_once('=').map(|(_, path)| Path::new(path)) else {
                continue;
            };
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let published = self.published.get(stem.strip_prefix("lib").unwrap_or(stem));
            if at > 0
                && args.0[at - 1] == "--extern"
                && let Some(published) = published
            {
                let name = args.0[at].rsplit_once('=').map_or("", |(name, _)| name);
                args.0[at] = format!("{name}={}", utf8(published)?);
            }
        }
        args.0.push("-L".to_owned());
        args.0
            .push(format!("dependency={}", utf8(&self.published_folder())?));
        capture.args = args.0;
        capture.out_dir = out_dir.to_owned();
        if let Some(request) = capture.env.get(LINK_VAR) {
            let mut request: LinkRequest = serde_json::from_str(request).context(
                "a capture has a damaged link request; run `cargo clean` on the package",
            )?;
            request.mode = LinkMode::Collect(objects.to_owned());
            capture.env.insert(LINK_VAR.to_owned(), request.to_env());
        }
        Ok(capture)
    }
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the linker shim left no objects in {}", folder.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// rustc's diagnostics (errors, then the rest) in rendered form, out of its JSON lines.
fn diagnostics(stderr: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(stderr).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(text) = message.get("rendered").and_then(Value::as_str) else {
            continue;
        };
        let level = message
            .get("level")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let list = if level.starts_with("error") {
            &mut errors
        } else {
            &mut warnings
        };
        list.push(text.to_owned());
    }
    (errors, warnings)
}
