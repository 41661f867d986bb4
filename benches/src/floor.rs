//! The floor: what bare rustc needs for the same edit.
//!
//! The crates that an edit makes stale (the edited one, and in dependency order all hot crates
//! that depend on it) are compiled by the command lines that the build plugin recorded, with the
//! recorded environment and folder. Only what must not collide is changed: output and incremental
//! folder are the floor's own and warm, dependencies that the floor compiled are read from there,
//! and the executable is linked by the linker that cargo would have called, with rustc's own link
//! line, or, where [`Link::Left`] says so, not at all. So nothing is left out that a build needs,
//! except cargo, its fingerprints and its locks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cargo_hotswap::membership::with_dependents;
use cargo_hotswap::plugin::capture::{self, LinkCapture, UnitCapture};
use cargo_hotswap::plugin::linker::LinkRequest;
use cargo_hotswap::plugin::rustc_args::RustcArgs;
use cargo_hotswap::plugin::{LINK_VAR, wrapper};
use cargo_hotswap::unit::{self, Unit};

/// Variables by which cargo lends rustc its job server, which is gone.
const JOB_SERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// What is done about the executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is linked as cargo would have it.
    Plain,
    /// It is compiled, and left unlinked.
    Left,
}

/// Compilations by bare rustc.
#[derive(Debug)]
pub struct Floor {
    /// In dependency order.
    commands: Vec<Command>,
}

impl Floor {
    /// The floor for edits of `file`, which writes below `folder`. Compiles once, to be warm.
    ///
    /// # Errors
    ///
    /// The file belongs to no unit, or a unit does not compile.
    pub fn new(units: &[Unit], file: &Path, link: Link, folder: &Path) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("clearing {}", folder.display()))?;
        }
        std::fs::create_dir_all(folder)?;
        let edited = units.iter().enumerate();
        let edited = edited.filter(|(_, unit)| unit.sources.contains(file));
        let edited: BTreeSet<usize> = edited.map(|(index, _)| index).collect();
        ensure!(!edited.is_empty(), "no crate has {}", file.display());
        let dependencies: Vec<_> = units.iter().map(|unit| unit.dependencies.clone()).collect();
        let mut replaced = BTreeMap::new();
        let mut commands = Vec::new();
        for index in with_dependents(&dependencies, &edited) {
            let unit = &units[index];
            commands.push(command(unit, link, folder, &replaced)?);
            let file = format!("lib{}.rlib", unit.stem);
            replaced.insert(file.clone(), folder.join(file));
        }
        let mut floor = Self { commands };
        floor.compile()?;
        Ok(floor)
    }

    /// Compiles what the sources are now; the result is in milliseconds.
    ///
    /// # Errors
    ///
    /// Something does not compile.
    pub fn compile(&mut self) -> Result<f64> {
        let begun = Instant::now();
        for command in &mut self.commands {
            let output = command.output().context("running rustc")?;
            let text = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "the floor does not compile:\n{text}"
            );
        }
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }
}

/// The hot units of the executable crate that was linked last in a `deps` folder.
///
/// # Errors
///
/// There is no record of a link there, or what it names can't be read.
pub fn units(deps: &Path, crate_name: &str) -> Result<Vec<Unit>> {
    let mut links = Vec::new();
    for entry in std::fs::read_dir(deps)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let output = file.strip_suffix(".hotlink.json");
        let name = output.and_then(|output| output.rsplit_once('-'));
        if name.is_some_and(|(name, _)| name == crate_name) {
            links.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let (_, newest) = links.into_iter().max().context("no link was recorded")?;
    unit::load(&capture::load::<LinkCapture>(&newest)?)
}

/// A unit's recorded compilation, turned to the floor's folder.
fn command(
    unit: &Unit,
    link: Link,
    folder: &Path,
    replaced: &BTreeMap<String, PathBuf>,
) -> Result<Command> {
    let mut capture = UnitCapture::clone(&unit.capture);
    let mut args = capture.rustc_args();
    capture.out_dir = folder.to_owned();
    if args.take_codegen("incremental").is_some() {
        args.push_codegen(&format!(
            "incremental={}",
            utf8(&folder.join("incremental"))?
        ));
    }
    redirect(&mut args, replaced)?;
    args.0
        .extend(["-L".to_owned(), format!("dependency={}", utf8(folder)?)]);
    if let Some(request) = capture.env.remove(LINK_VAR) {
        let request: LinkRequest = serde_json::from_str(&request)?;
        args.take_codegen("linker");
        match link {
            Link::Plain => args.push_codegen(&format!("linker={}", request.linker)),
            // A linker that does nothing, and succeeds.
            Link::Left => args.push_codegen("linker=true"),
        }
    }
    capture.args = args.0;
    let mut command = wrapper::command(&capture)?;
    for variable in JOB_SERVER {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// Names the floor's own libraries where cargo's are named.
fn redirect(args: &mut RustcArgs, replaced: &BTreeMap<String, PathBuf>) -> Result<()> {
    for at in 1..args.0.len() {
        if args.0[at - 1] != "--extern" {
            continue;
        }
        let Some((name, path)) = args.0[at].split_once('=') else {
            continue;
        };
        let file = Path::new(path).file_name().and_then(|file| file.to_str());
        let file = file.unwrap_or_default().replace(".rmeta", ".rlib");
        if let Some(own) = replaced.get(&file) {
            args.0[at] = format!("{name}={}", utf8(own)?);
        }
    }
    Ok(())
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}
