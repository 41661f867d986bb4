//! `cargo hotswap patch build`: what was edited since the base was built, as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::patch::{self, Digest, MAX_NAME_BYTES, Patch, Plan, Provenance, container};
use hotswap_protocol::state::Back;

use super::below::{self, Below};
use super::{file, logged, show, signing};
use crate::base::{self, Base, Opened};
use crate::death;
use crate::engine::Engine;
use crate::engine::load::Sink;
use crate::events::Event;
use crate::facts::Cache;
use crate::host::Host;
use crate::image::DebugInfo;
use crate::output::{self, Format};
use crate::session::folder::RunFolder;
use crate::unit::Unit;
use crate::whole;

/// What `patch build` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The base that `cargo hotswap build` has written
    #[arg(long, value_name = "BASE", value_hint = clap::ValueHint::FilePath)]
    base: PathBuf,
    /// Patch that is applied already and shall stay below this one; once for each, the oldest first
    #[arg(long, value_name = "PATCH", value_hint = clap::ValueHint::FilePath)]
    on: Vec<PathBuf>,
    /// The patch file to write
    #[arg(short, long, value_name = "PATCH", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    /// Secret key of minisign's to sign with; programs take no patch without a signature
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// Entry each of whose calls the patched program tells of: arguments, and time taken
    #[arg(long, value_name = "ENTRY")]
    log: Vec<String>,
    /// Name of the patch; without it, that of the file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Its number: a program that has taken one with a higher number does not take it any more
    #[arg(long, value_name = "N", default_value_t = 1)]
    sequence: u64,
    /// The last moment to apply it, such as 2030-01-31T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    not_after: Option<u64>,
    /// How to tell what it does, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// Seconds since 1970.
fn moment(text: &str) -> Result<u64, String> {
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())?;
    let since = time.duration_since(UNIX_EPOCH);
    Ok(since.map_err(|error| error.to_string())?.as_secs())
}

/// A patch that is wanted of what was edited.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// Entries each of whose calls the patched program tells of.
    pub log: &'a [String],
    /// The patches that it lies on, the oldest first.
    pub on: &'a [On],
    /// Its number.
    pub sequence: u64,
    /// The last second in which it may be applied.
    pub not_after: Option<u64>,
    /// The file of the secret key to sign it with.
    pub key: Option<&'a Path>,
}

/// A patch on which another one lies.
#[derive(Debug, Clone)]
pub struct On {
    /// The file that it comes from.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl On {
    fn read(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            bytes: file::bytes(path)?,
        })
    }
}

/// What came of edits.
#[derive(Debug)]
pub enum Outcome {
    /// A patch file.
    Made {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The crates in it, as people are told, those first that others depend on.
        crates: Vec<String>,
    },
    /// None; the event says why.
    Not(Box<Event>),
}

/// Does it; the result is the exit code.
///
/// # Errors
///
/// Nothing was edited, the edit can't go live or does not compile, or the base is not what it was.
pub fn run(options: &Options) -> Result<i32> {
    let on: Vec<On> = options
        .on
        .iter()
        .map(|path| On::read(path))
        .collect::<Result<_>>()?;
    let wanted = Wanted {
        name: &name(options)?,
        log: &options.log,
        on: &on,
        sequence: options.sequence,
        not_after: options.not_after,
        key: options.key.as_deref(),
    };
    let opened = Base::read(&options.base)?.open()?;
    let edited = opened.base.edited()?;
    if edited.is_empty() && options.log.is_empty() && options.on.is_empty() {
        bail!(
            "no source was edited since the base was built, so there is nothing to patch\n  \
             = help: edit a source of the workspace, and build the patch then, or name an entry \
             with `--log`"
        );
    }
    let bytes = match make(&opened, &edited, &wanted)? {
        Outcome::Made { bytes, .. } => bytes,
        Outcome::Not(event) => return not_made(*event),
    };
    // What is written is what a program would read.
    let (container, contents) = file::read(&options.output, &bytes)?;
    whole::write(&options.output, &bytes)?;
    let summary = show::Summary::of(&contents, &container, bytes.len());
    match options.message_format {
        Format::Json => output::print(&(serde_json::to_string(&summary)? + "\n"))?,
        Format::Human => tell(&options.output, &summary),
    }
    Ok(super::code::DONE)
}

/// Makes a patch of these edits.
///
/// # Errors
///
/// There is no such entry, or a file can't be read or written.
pub fn make(opened: &Opened, edited: &[PathBuf], wanted: &Wanted<'_>) -> Result<Outcome> {
    let base = &opened.base;
    let folder = RunFolder::new(&base.target_directory)?;
    let mut engine = engine(opened, &folder)?;
    let logged = logged::choose(engine.entries(), wanted.log)?;
    let mut below = below::read(base, wanted.on)?;
    below::bring_about(&mut below, &mut engine)?;
    let digest = digest(base, edited, &logged.paths, &below)?;
    engine.set_mark(&mark(digest));
    engine.log_calls(&logged.names);
    let since = since(&below, edited);
    let event = engine.update(&since, Instant::now());
    let manifest = engine.take_manifest();
    let (plan, manifest) = match (&event, manifest) {
        (Event::Swapped { .. }, Some(manifest)) => (plan(&event, &manifest), manifest),
        _ => return Ok(Outcome::Not(Box::new(event))),
    };
    let mut patch = Patch {
        format: patch::FORMAT,
        name: wanted.name.to_owned(),
        base: patch::Base {
            name: base.name.clone(),
            build_id: base.build_id.clone(),
        },
        below: below.iter().map(|below| below.digest).collect(),
        sequence: wanted.sequence,
        not_after: wanted.not_after,
        beyond_base: engine.is_beyond_host(),
        plan,
        provenance: provenance(base, edited, logged.paths, digest)?,
        manifest,
    };
    let bytes = written(&mut patch, wanted.key)?;
    let (_, contents) = file::read(Path::new("the patch"), &bytes)?;
    below::keep(base, contents.digest, engine.units(), &below, &since)?;
    let crates = crates(&event, engine.units());
    Ok(Outcome::Made { bytes, crates })
}

/// The crates that are in the image of a patch, in the order of the units.
fn crates(event: &Event, units: &[Unit]) -> Vec<String> {
    let Event::Swapped {
        compiled, relinked, ..
    } = event
    else {
        return Vec::new();
    };
    let names = units
        .iter()
        .map(|unit| format!("{} ({})", unit.name, unit.kind));
    names
        .filter(|name| compiled.contains(name) || relinked.contains(name))
        .collect()
}

/// The files that differ from what the newest patch below was made from, and perhaps some more.
fn since(below: &[Below], edited: &[PathBuf]) -> Vec<PathBuf> {
    let all = below.iter().flat_map(Below::edited).chain(edited);
    let all: BTreeSet<&PathBuf> = all.collect();
    all.into_iter().cloned().collect()
}

/// The bytes of the file, signed where there is a key.
fn written(patch: &mut Patch, key: Option<&Path>) -> Result<Vec<u8>> {
    let images = take_images(&mut patch.manifest)?;
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let bytes = container::write(&patch.text()?, &images)?;
    let Some(key) = key else {
        return Ok(bytes);
    };
    let digest = Digest::of(&bytes);
    let told = format!("{} for {} {digest}", patch.name, patch.base.name);
    signing::sign(&bytes, key, &told)
}

fn tell(path: &Path, summary: &show::Summary) {
    let text = format!(
        "{} for {} ({}; {} bytes)",
        path.display(),
        summary.program,
        summary.plan.entries.join(", "),
        summary.bytes
    );
    output::status("Built", &text);
    for name in &summary.plan.still_old {
        output::warning(&format!(
            "no entry leads to `{name}`, which was edited and stays old"
        ));
    }
    for reason in &summary.plan.no_way_back {
        output::warning(&format!(
            "a program can't go back from this patch: {reason}"
        ));
    }
    if !summary.signed {
        output::warning(
            "the patch is not signed, so no program takes it\n  = help: build it with `--key`",
        );
    }
}

/// The name of the patch.
fn name(options: &Options) -> Result<String> {
    let stem = options.output.file_stem().unwrap_or_default();
    let given = options.name.clone();
    let name = given.unwrap_or_else(|| stem.to_string_lossy().into_owned());
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        bail!("the name of a patch is one line of 1 to {MAX_NAME_BYTES} bytes");
    }
    Ok(name)
}

/// What compiles, checks and links what was edited.
fn engine(opened: &Opened, folder: &RunFolder) -> Result<Engine> {
    let cache = Cache::default();
    let kept = folder.keep(&opened.base.executable)?;
    let host = Host::read(&kept, &opened.units, &cache)?;
    if host.build_id != opened.base.build_id {
        bail!("the executable has another build id than its base says");
    }
    let mut engine = Engine::new(
        opened.units.clone(),
        host,
        opened.link.clone(),
        cache,
        &folder.path(),
        Sink::File(None),
        debug_info(opened),
    )?;
    let said = opened.base.texts.iter();
    engine.host_was_made_from(
        &said
            .map(|(file, text)| (file.clone(), text.clone().into()))
            .collect(),
    );
    Ok(engine)
}

/// What patches hold for debuggers: nothing, unless the program itself holds some.
fn debug_info(opened: &Opened) -> DebugInfo {
    let mut lines = opened.units.iter().map(|unit| unit.capture.rustc_args());
    match lines.any(|line| line.codegen("strip") == Some("debuginfo")) {
        true => DebugInfo::None,
        false => DebugInfo::Lines,
    }
}

/// What names of statics begin with that a patch of these sources brings, so that those of two patches are never
/// taken for one another.
pub(super) fn mark(sources: Digest) -> String {
    format!("p{}_", sources.short())
}

/// A digest of the base, of what all sources say now, of the entries that tell of their calls, and of the patches
/// below.
fn digest(
    base: &Base,
    edited: &[PathBuf],
    logged: &BTreeSet<String>,
    below: &[Below],
) -> Result<Digest> {
    let mut all = base.build_id.to_string();
    for (path, built) in &base.sources {
        let now = match edited.contains(path) {
            true if path.is_file() => base::digest(path)?.to_string(),
            true => "gone".to_owned(),
            false => built.to_string(),
        };
        all += &format!("\n{now} {}", base.shown(path));
    }
    for entry in logged {
        all += &format!("\nlog {entry}");
    }
    for below in below {
        all += &format!("\non {}", below.digest);
    }
    Ok(Digest::of(all.as_bytes()))
}

fn provenance(
    base: &Base,
    edited: &[PathBuf],
    logged: BTreeSet<String>,
    sources: Digest,
) -> Result<Provenance> {
    let present = edited.iter().filter(|path| path.is_file());
    let digests = present.map(|path| Ok((base.shown(path), base::digest(path)?)));
    Ok(Provenance {
        tool: format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION")),
        toolchain: base.toolchain.clone(),
        edited: digests.collect::<Result<BTreeMap<_, _>>>()?,
        logged,
        sources,
    })
}

/// The images that a manifest names, which has their names in the patch from then on.
pub(super) fn take_images(manifest: &mut Manifest) -> Result<Vec<Vec<u8>>> {
    let named = manifest.support.iter_mut().chain(&mut manifest.image);
    let images = named.enumerate().map(|(index, image)| {
        let bytes = std::fs::read(&image.path)
            .with_context(|| format!("could not read {}", image.path.display()))?;
        image.path = patch::image_name(index);
        Ok(bytes)
    });
    images.collect()
}

/// What a patch does, as people are told.
fn plan(event: &Event, manifest: &Manifest) -> Plan {
    let Event::Swapped {
        entries,
        statics,
        still_old,
        migrated,
        ..
    } = event
    else {
        return Plan::default();
    };
    let statics = statics
        .iter()
        .map(|one| format!("{} ({}): {}", one.name, one.verdict, one.reason));
    let no_way_back = match &manifest.back {
        Back::None(reasons) => reasons.clone(),
        Back::Way(_) | Back::AsFrom(_) => Vec::new(),
    };
    Plan {
        entries: entries.clone(),
        statics: statics.collect(),
        still_old: still_old.iter().map(|one| one.function.clone()).collect(),
        migrated: migrated.iter().flat_map(|it| it.cells.clone()).collect(),
        no_way_back,
    }
}

/// Why there is no patch.
fn not_made(event: Event) -> Result<i32> {
    match event {
        Event::CompileError { message, summary } => {
            output::compiler(&message);
            output::error(&summary);
            Ok(death::PANIC_CODE)
        }
        Event::Refused { message, .. } => bail!("no patch was made: {}", message.trim_end()),
        Event::Failed { message } => bail!(
            "no patch was made: {message}\n  \
             = help: what a patch uses of a library must be in the program: use it there once, and \
             build the program and its base anew"
        ),
        Event::Unchanged { .. } => bail!(
            "what was edited makes no difference to the compiled code, so there is nothing to patch"
        ),
        other => bail!("no patch was made: {other:?}"),
    }
}

/// Whether a moment is over.
pub fn is_over(not_after: u64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.is_ok_and(|now| now.as_secs() > not_after)
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments() {
        assert_eq!(moment("1970-01-02T00:00:01Z"), Ok(86_401));
        assert_eq!(moment("1970-01-02 00:00:01"), Ok(86_401));
        for text in ["", "tomorrow", "1970-13-01T00:00:00Z"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
