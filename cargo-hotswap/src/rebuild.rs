//! Compiling hot crates again without cargo: rustc's captured command lines, replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::children::{self, Ending, Lent};
use crate::diagnostics::{self, Artefact, Form, Warning};
use crate::keep::keep;
use crate::plugin::linker::{LinkMode, LinkRequest};
use crate::plugin::{LINK_VAR, archive, capture::UnitCapture, wrapper};
use crate::unit::{self, ObjectFile, Unit, UnitKind, dep_info};

/// Variables by which cargo lends rustc its job server; a replay has none.
const JOB_SERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// How a replay ended.
#[derive(Debug)]
pub enum Outcome {
    /// The crate compiled.
    Compiled {
        /// The files that the compiler read.
        sources: BTreeSet<PathBuf>,
        /// The new objects.
        objects: Vec<ObjectFile>,
        /// The compiler's warnings.
        warnings: Vec<Warning>,
        /// The compiler, where it has still to tidy up. It may yet fail.
        ending: Option<Ending>,
    },
    /// The compiler said no.
    Failed {
        /// Its messages in rendered form.
        message: String,
        /// What could not be compiled, as cargo says it.
        summary: String,
    },
}

/// One compilation, ready to run.
#[derive(Debug)]
pub struct Replay {
    /// How the unit is compiled, turned to the replay's folders.
    capture: UnitCapture,
    stem: String,
    kind: UnitKind,
    /// Where the linker shim leaves an executable's objects.
    objects: PathBuf,
    /// The folder that rustc writes to, if it takes a descriptor.
    lent: Option<Arc<Lent>>,
}

/// Where replays of one program write, and which artefacts dependents compile against.
#[derive(Debug)]
pub struct Replays {
    folder: PathBuf,
    /// The form of the compiler's messages.
    pub form: Form,
    /// Variables that the compiler gets beside those of the build.
    pub variables: BTreeMap<String, String>,
    /// Published artefacts by unit stem: for dependents they stand in for cargo's.
    published: BTreeMap<String, PathBuf>,
    /// The folder that replays write to, open as long as this lives.
    lent: Option<Arc<Lent>>,
}

impl Replays {
    /// Replays that write below this folder, which must be one program's own.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            form: Form::default(),
            variables: BTreeMap::new(),
            published: BTreeMap::new(),
            lent: None,
        }
    }

    /// Publishes what cargo built, and forgets all replays before. Dependents must not read cargo's
    /// own files: it removes them whenever it builds again, for another run in this folder, say.
    ///
    /// # Errors
    ///
    /// An artefact can be neither linked nor copied.
    pub fn begin_with(&mut self, units: &[Unit]) -> Result<()> {
        self.published.clear();
        for unit in units {
            let built = unit.capture.out_dir.clone();
            self.published(unit, |_, to| {
                for name in artefacts(unit) {
                    keep(&built.join(&name), &to.join(&name))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// A compilation of a unit against what is published now.
    ///
    /// # Errors
    ///
    /// The replay's folder can't be made, or the capture is damaged.
    pub fn of(&mut self, unit: &Unit) -> Result<Replay> {
        let out_dir = self.folder.join("out");
        std::fs::create_dir_all(&out_dir)
            .with_context(|| format!("could not make {}", out_dir.display()))?;
        let objects = self.folder.join("objects").join(&unit.stem);
        let capture = self.adjusted(unit, &out_dir, &objects)?;
        if self.lent.is_none() {
            self.lent = wrapper::lent(&capture)?.map(Arc::new);
        }
        Ok(Replay {
            capture,
            stem: unit.stem.clone(),
            kind: unit.kind,
            objects,
            lent: self.lent.clone(),
        })
    }

    /// Lets dependents compile against the newest artefact of a library that compiled.
    ///
    /// # Errors
    ///
    /// The artefact can't be moved.
    pub fn publish(&mut self, unit: &Unit) -> Result<()> {
        self.published(unit, |from, to| {
            for name in artefacts(unit) {
                let context = || format!("could not move {name} to {}", to.display());
                std::fs::rename(from.join(&name), to.join(&name)).with_context(context)?;
            }
            Ok(())
        })
    }

    /// Lets dependents compile against a library of which only the metadata stands yet, as cargo
    /// does it. An executable wants an archive, so there is one, of nothing else: replays link
    /// nothing.
    ///
    /// # Errors
    ///
    /// The metadata can't be read or written.
    pub fn publish_metadata(&mut self, unit: &Unit) -> Result<()> {
        self.published(unit, |from, to| {
            let name = format!("lib{}.rmeta", unit.stem);
            let context = || format!("could not copy {name} to {}", to.display());
            let metadata = std::fs::read(from.join(&name)).with_context(context)?;
            let files = [
                (
                    archive::of_metadata(&metadata),
                    format!("lib{}.rlib", unit.stem),
                ),
                (metadata, name.clone()),
            ];
            for (bytes, name) in files {
                // A new file under the old name: a compiler may have the old one mapped.
                let temporary = to.join(format!("{name}.new"));
                std::fs::write(&temporary, bytes).with_context(context)?;
                std::fs::rename(&temporary, to.join(&name)).with_context(context)?;
            }
            Ok(())
        })
    }

    fn published(
        &mut self,
        unit: &Unit,
        provide: impl FnOnce(&Path, &Path) -> Result<()>,
    ) -> Result<()> {
        if unit.kind != UnitKind::Library {
            return Ok(());
        }
        let (from, to) = (self.folder.join("out"), self.published_folder());
        std::fs::create_dir_all(&to).with_context(|| format!("could not make {}", to.display()))?;
        provide(&from, &to)?;
        let archive = to.join(format!("lib{}.rlib", unit.stem));
        self.published.insert(unit.stem.clone(), archive);
        Ok(())
    }

    fn published_folder(&self) -> PathBuf {
        self.folder.join("published")
    }

    /// The captured command, writing to the replay's folders and reading published dependencies.
    fn adjusted(&self, unit: &Unit, out_dir: &Path, objects: &Path) -> Result<UnitCapture> {
        let mut capture = UnitCapture::clone(&unit.capture);
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
        self.form.apply(&mut args.0);
        capture.args = args.0;
        capture.out_dir = out_dir.to_owned();
        capture.env.extend(self.variables.clone());
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

impl Replay {
    /// Compiles; `on_metadata` is called as soon as the crate's metadata stands, if rustc says so.
    ///
    /// # Errors
    ///
    /// rustc can't be run or its artefacts can't be read; not that it found errors.
    pub fn run(&self, on_metadata: impl Fn()) -> Result<Outcome> {
        let mut command = match &self.lent {
            Some(_) => wrapper::command_to_lend(&self.capture)?,
            None => wrapper::command(&self.capture)?,
        };
        for variable in JOB_SERVER {
            command.env_remove(variable);
        }
        let mut is_linked = false;
        let ending = children::watched(&mut command, self.lent.as_deref(), |line| {
            match Artefact::told(line) {
                Some(Artefact::Metadata) => on_metadata(),
                Some(Artefact::Linked) => is_linked = true,
                None => {}
            }
            if is_linked { Break(()) } else { Continue(()) }
        });
        let context = || format!("could not run {}", self.capture.program.join(" "));
        let ending = ending.with_context(context)?;
        let said = diagnostics::read(ending.said());
        if is_linked {
            return self.compiled(said.warnings, Some(ending));
        }
        let output = ending.output().with_context(context)?;
        if output.status.success() {
            return self.compiled(said.warnings, None);
        }
        let summary = said.summary(&self.capture);
        let message = match said.errors {
            0 => of_failure(&output),
            _ => said.text,
        };
        Ok(Outcome::Failed { message, summary })
    }

    /// What the compiler has left.
    fn compiled(&self, warnings: Vec<Warning>, ending: Option<Ending>) -> Result<Outcome> {
        let out_dir = &self.capture.out_dir;
        let info = out_dir.join(format!("{}.d", self.stem));
        Ok(Outcome::Compiled {
            warnings,
            sources: dep_info::read(&info, &self.capture.cwd)?,
            objects: match self.kind {
                UnitKind::Library => {
                    unit::library_objects(&out_dir.join(format!("lib{}.rlib", self.stem)))?
                }
                UnitKind::Executable => unit::read_objects(&files(&self.objects)?)?,
            },
            ending,
        })
    }
}

/// What a compiler says that ends without a word about the sources.
pub fn of_failure(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    format!("rustc ended with {}\n{said}", output.status)
}

/// The names of a library's files that dependents compile against.
fn artefacts(unit: &Unit) -> [String; 2] {
    ["rmeta", "rlib"].map(|ending| format!("lib{}.{ending}", unit.stem))
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
