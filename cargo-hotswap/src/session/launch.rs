//! From the project to an executable that can be started: for the first start, and for each after.

use std::fs::File;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::Result;

use crate::cargo::environment;
use crate::events::Event;
use crate::plugin::proper::Called;
use crate::plugin::rustc_args::RustcArgs;
use crate::probe;
use crate::profile;
use crate::project::Project;
use crate::records::{self, Build, Built};
use crate::selection::Selection;
use crate::unit::Unit;

/// A program that is built and can be started.
#[derive(Debug)]
pub struct Launch {
    /// Where it comes from.
    pub project: Project,
    /// The executable and its records.
    pub built: Built,
    /// When cargo was called: what is written later is an edit.
    pub begun: SystemTime,
    /// Milliseconds that the build took.
    pub ms: f64,
    /// What the program before has left for it.
    pub state: Option<File>,
}

/// How a build ended.
#[derive(Debug)]
pub enum Outcome {
    /// The program can be started.
    Ready(Box<Launch>),
    /// It can't.
    No {
        /// Why.
        event: Box<Event>,
        /// The signal by which somebody interrupted cargo.
        signal: Option<i32>,
    },
}

/// How records come of a project.
type Builder = fn(&Project, &Selection) -> Result<Build>;

/// Builds this program with cargo, which tells on stderr what it does.
///
/// # Errors
///
/// Cargo can't be run, or its answer is not understood.
pub fn build(project: Project, selection: &Selection) -> Result<Outcome> {
    build_with(project, selection, records::build)
}

/// Finds the program and builds it while one has the terminal, or had it: cargo writes nothing, and what it would
/// have said is in the outcome.
///
/// # Errors
///
/// As for [`build`].
pub fn build_unseen(selection: &Selection) -> Result<Outcome> {
    build_with(Project::find(selection)?, selection, records::build_unseen)
}

fn build_with(mut project: Project, selection: &Selection, build: Builder) -> Result<Outcome> {
    if let Some(refusal) = refuse_linker(selection) {
        return Ok(Outcome::No {
            event: Box::new(refusal),
            signal: None,
        });
    }
    let (since, begun) = (Instant::now(), SystemTime::now());
    let built = match build(&project, selection)? {
        Build::Done(built) => *built,
        Build::Failed { errors, signal } => {
            let event = Event::CompileError {
                message: errors.concat(),
                summary: "cargo could not build the program".to_owned(),
            };
            let event = Box::new(event);
            return Ok(Outcome::No { event, signal });
        }
    };
    project.add_packages(&built.packages);
    let refusal = match refuse_setup(&project, &built) {
        None => refuse_compiler(&built.units)?,
        refusal => refusal,
    };
    Ok(match refusal {
        Some(refusal) => Outcome::No {
            event: Box::new(refusal),
            signal: None,
        },
        None => Outcome::Ready(Box::new(Launch {
            project,
            built,
            begun,
            ms: since.elapsed().as_secs_f64() * 1e3,
            state: None,
        })),
    })
}

impl Launch {
    /// What the user should know of it before it starts.
    pub fn warnings(&self, selection: &Selection) -> Vec<Event> {
        let mut warnings = Vec::new();
        if !self.project.has_runtime {
            warnings.push(
                "this package does not depend on the runtime, so no edit can go live\n  \
                 = help: run `cargo add hotswap-runtime` and mark a function with \
                 `#[hotswap::entry]`"
                    .to_owned(),
            );
        }
        let profile = selection.profile_name();
        for setting in profile::overridden(&self.project.workspace_root, profile) {
            warnings.push(format!("profile `{profile}`: {setting}"));
        }
        for library in &self.built.link.lazy_libraries {
            warnings.push(format!(
                "{} could not be linked in full; an edit that first uses a part of it needs a \
                 restart",
                library.display()
            ));
        }
        let event = |message| Event::Warning { message };
        warnings.into_iter().map(event).collect()
    }
}

/// What can't be patched at all.
fn refuse_setup(project: &Project, built: &Built) -> Option<Event> {
    let link = &built.link;
    let dynamic = link.dynamic_libraries.first().map(|library| {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        (
            name.into_owned(),
            "a shared library (a `dylib` crate, or bevy's `dynamic_linking`)",
        )
    });
    let linked = |name: &&String| {
        link.cold_libraries
            .iter()
            .any(|library| records::crate_name(library) == **name)
    };
    let shared = project.shared_crates.iter().find(linked).map(|name| {
        (
            name.clone(),
            "a crate that is also built as `cdylib`, `dylib` or `staticlib`",
        )
    });
    if let Some(refusal) = refuse_static(&built.executable) {
        return Some(refusal);
    }
    let (name, kind) = dynamic.or(shared)?;
    let message = format!(
        "{name} is {kind}\n\
         = why: code in it can't be replaced, and state in it is not the executable's\n\
         = help: build it as a plain library (`crate-type = [\"lib\"]`), without `-C prefer-dynamic`"
    );
    Some(Event::Refused {
        reason: "dynamic-library",
        message,
        items: vec![name],
        places: Vec::new(),
    })
}

/// A linker that is not known, as far as cargo's configuration names one; the wrapper sees the rest.
fn refuse_linker(selection: &Selection) -> Option<Event> {
    let configured = cargo_config2::Config::load().ok()?;
    let target = environment::target(&configured, selection);
    let flags = configured.rustflags(target).ok().flatten();
    let mut args = RustcArgs(flags.map_or_else(Vec::new, |flags| flags.flags));
    if let Some(linker) = configured.linker(target).ok().flatten() {
        args.push_codegen(&format!("linker={}", linker.display()));
    }
    let unknown = Called::of(&args)?.ask().err()?;
    Some(Event::Refused {
        reason: "linker",
        message: unknown.to_string(),
        items: vec![unknown.name],
        places: Vec::new(),
    })
}

/// A compiler that changes statics although it is told not to: one that is newer than what it is told.
fn refuse_compiler(units: &[Unit]) -> Result<Option<Event>> {
    let items: Vec<String> = probe::changed(units)?.into_iter().collect();
    if items.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "this compiler changes statics although it is told not to ({} of those that it was given to try)\n\
         = why: a patch would not find their values, or find them in another form\n\
         = help: build with a compiler that this version of hotswap was tested with, which `cargo hotswap doctor` \
         names, or without optimisation",
        items.join(", ")
    );
    Ok(Some(Event::Refused {
        reason: "compiler",
        message,
        items,
        places: Vec::new(),
    }))
}

/// A program without a dynamic loader has nobody who could load a patch.
fn refuse_static(executable: &Path) -> Option<Event> {
    use object::read::elf::{FileHeader, ProgramHeader};
    let bytes = std::fs::read(executable).ok()?;
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &*bytes).ok()?;
    if segments
        .iter()
        .any(|one| one.p_type(endian) == object::elf::PT_INTERP)
    {
        return None;
    }
    let name = executable.display().to_string();
    let message = format!(
        "{name} is linked statically (a musl target, or `-C target-feature=+crt-static`)\n\
         = why: it has no dynamic loader, so code can't be loaded into it\n\
         = help: build it for a target with a shared C library, such as x86_64-unknown-linux-gnu"
    );
    Some(Event::Refused {
        reason: "static-executable",
        message,
        items: vec![name],
        places: Vec::new(),
    })
}
