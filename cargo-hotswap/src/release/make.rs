//! `cargo hotswap release make`: a build, and what leads to it from the one before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_protocol::patch::Digest;

use super::about::{About, AboutError, Described, FORMAT, Part, Way, check_name, check_version};
use super::plan::Plan;
use super::{code, file, show};
use crate::base::{Base, build};
use crate::death;
use crate::events::Event;
use crate::output::{self, Format};
use crate::patch::{self, build as hot, signing};
use crate::project::Project;
use crate::selection::{Diagnostics, Selection};
use crate::whole;

/// What `release make` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The version of the release: letters, digits and `-`, `_`, `.`, `+`
    #[arg(value_name = "VERSION")]
    version: String,
    /// The release before, a file or a folder, whose target folder is as it was; without it, no way leads to
    /// this one but a restart
    #[arg(long, value_name = "RELEASE", value_hint = clap::ValueHint::AnyPath)]
    from: Option<PathBuf>,
    /// The file to write; without it, NAME-VERSION.hotrelease in this folder
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Secret key of minisign's to sign with; no machine takes a release without a signature
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// An edited plan to take instead of the one that is generated
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "from")]
    plan: Option<PathBuf>,
    /// Number of the patch: a program that has taken one with a higher number does not take it any more
    #[arg(long, value_name = "N", default_value_t = 1)]
    sequence: u64,
    /// What to build.
    #[command(flatten)]
    pub selection: Selection,
    /// How to tell what was made, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// Makes a release; the result is the exit code.
///
/// # Errors
///
/// Something does not compile, is not what it was, or can't be written.
pub fn run(options: &Options) -> Result<i32> {
    check_version(&options.version)?;
    let mut selection = options.selection.clone();
    selection.messages.diagnostics = Diagnostics::Shown;
    let mut project = Project::find(&selection)?;
    check_name(&project.target)?;
    if selection.target_dir.is_none() {
        // What patches of the release before are made from stays as it is.
        let folder = target_folder(&project.target_directory, &options.version);
        project.target_directory.clone_from(&folder);
        selection.target_dir = Some(folder);
    }
    // The patch comes first: the build may take the place of what it is made from.
    let from = match &options.from {
        Some(path) => match From::read(path, &options.version)?.patch(options)? {
            Some(from) => Some(from),
            None => return Ok(death::PANIC_CODE),
        },
        None => None,
    };
    let made = match build::make(project, &selection)? {
        Ok(made) => made,
        Err(code) => return Ok(code),
    };
    if let Some((way, patch)) = &from {
        same_sources(&made.base, way, patch.as_deref())?;
    }
    write(options, &made, from)
}

/// Where a release is built that has no folder given.
fn target_folder(target: &Path, version: &str) -> PathBuf {
    target.join("releases").join(version)
}

/// A release from which a way leads.
struct From {
    about: About,
    base: Base,
}

impl From {
    fn read(path: &Path, version: &str) -> Result<Self> {
        let context = || format!("{} can't be the release before", path.display());
        let bytes = file::bytes(path).with_context(context)?;
        let contents = file::open(&bytes).and_then(|sealed| sealed.contents());
        let contents = contents.with_context(context)?;
        // It would be built in the other's folder, and take the place of its file.
        if contents.about.version == version {
            return Err(AboutError::Same(version.to_owned())).with_context(context);
        }
        let base = contents.part(Part::Base).unwrap_or_default();
        Ok(Self {
            base: Base::parse(path, base)?,
            about: contents.about,
        })
    }

    /// Makes the patch of what was edited since, or tells why a restart is needed. None if it does not compile, which
    /// has been told.
    fn patch(self, options: &Options) -> Result<Option<(Way, Option<Vec<u8>>)>> {
        let mut way = Way {
            from: self.about.version,
            build_id: self.about.build_id,
            patch: None,
            restart: Vec::new(),
            crates: Vec::new(),
            cells: Vec::new(),
            no_way_back: Vec::new(),
        };
        let opened = self.base.open()?;
        let edited = match opened.base.edited() {
            Ok(edited) if edited.is_empty() => Err("no source was edited".to_owned()),
            Ok(edited) => Ok(edited),
            Err(error) => Err(format!("{error:#}")),
        };
        let edited = match edited {
            Ok(edited) => edited,
            Err(reason) => {
                way.restart.push(reason);
                return Ok(Some((way, None)));
            }
        };
        let name = format!("{} {}", opened.base.name, options.version);
        let wanted = hot::Wanted {
            name: &name,
            log: &[],
            on: &[],
            sequence: options.sequence,
            not_after: None,
            key: options.key.as_deref(),
        };
        match hot::make(&opened, &edited, &wanted)? {
            hot::Outcome::Made { bytes, crates } => {
                let (_, contents) = patch::file::read(Path::new("the patch"), &bytes)?;
                way.patch = Some(contents.digest);
                way.crates = crates;
                way.cells = contents.patch.plan.migrated;
                way.no_way_back = contents.patch.plan.no_way_back;
                Ok(Some((way, Some(bytes))))
            }
            hot::Outcome::Not(event) => Ok(restart(*event)?.map(|reason| {
                way.restart.push(reason);
                (way, None)
            })),
        }
    }
}

/// Why an edit asks for a restart; none if it does not compile, which is told.
fn restart(event: Event) -> Result<Option<String>> {
    match event {
        Event::CompileError { message, summary } => {
            eprint!("{message}");
            output::error(&summary);
            Ok(None)
        }
        Event::Refused { message, .. } => Ok(Some(message.trim_end().to_owned())),
        Event::Failed { message } => Ok(Some(message)),
        Event::Unchanged { .. } => {
            let text = "what was edited makes no difference to the compiled code";
            Ok(Some(text.to_owned()))
        }
        other => bail!("no release was made: {other:?}"),
    }
}

/// Whether the build was made from the sources of the patch.
fn same_sources(base: &Base, way: &Way, patch: Option<&[u8]>) -> Result<()> {
    if base.build_id == way.build_id {
        bail!(
            "the build is that of release {}\n  = help: edit something, or make a release of its own without `--from`",
            way.from
        );
    }
    let Some(patch) = patch else { return Ok(()) };
    let (_, contents) = patch::file::read(Path::new("the patch"), patch)?;
    let built: Vec<(String, Digest)> = base
        .sources
        .iter()
        .map(|(path, digest)| (base.shown(path), *digest))
        .collect();
    for (path, digest) in &contents.patch.provenance.edited {
        // A file that the build has no use for makes no difference to it.
        let other = built
            .iter()
            .any(|(name, built)| name == path && built != digest);
        if other {
            bail!("{path} was edited while the release was made\n  = help: make it again");
        }
    }
    Ok(())
}

/// Puts it together.
fn write(
    options: &Options,
    made: &build::Made,
    from: Option<(Way, Option<Vec<u8>>)>,
) -> Result<i32> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("could not read {}", path.display()));
    let mut parts = vec![
        (Part::Executable, read(&made.launch.built.executable)?),
        (Part::Base, read(&made.path)?),
    ];
    let (way, patch) = from.unzip();
    let mut about = About {
        format: FORMAT,
        name: made.base.name.clone(),
        version: options.version.clone(),
        build_id: made.base.build_id.clone(),
        tool: format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION")),
        toolchain: made.base.toolchain.clone(),
        way,
        parts: Vec::new(),
    };
    parts.extend(patch.flatten().map(|patch| (Part::Patch, patch)));
    if let Some(way) = &about.way {
        parts.push((Part::Plan, plan(options, &about, way)?.into_bytes()));
    }
    about.parts = parts
        .iter()
        .map(|(part, bytes)| Described::of(*part, bytes))
        .collect();
    let text = about.text()?;
    let title = format!("{} {}", about.name, about.version);
    let sign =
        |key: &PathBuf| signing::signature(&text, key, &title, "signature of a hotswap release");
    let signature = options.key.as_ref().map(sign).transpose()?;
    let parts: Vec<(Part, &[u8])> = parts
        .iter()
        .map(|(part, bytes)| (*part, bytes.as_slice()))
        .collect();
    let bytes = file::write(&text, signature.as_ref().map(String::as_bytes), &parts);
    // What is written is what would be read.
    let summary = show::Summary::of(&bytes)?;
    let name = || PathBuf::from(format!("{}-{}.hotrelease", about.name, about.version));
    let path = options.output.clone().unwrap_or_else(name);
    whole::write(&path, &bytes)?;
    match options.message_format {
        Format::Json => output::print(&summary.json()?)?,
        Format::Human => tell(&path, &about, signature.is_some()),
    }
    Ok(code::DONE)
}

/// The plan that was edited, or else the one that follows from the way.
fn plan(options: &Options, about: &About, way: &Way) -> Result<String> {
    let generated = Plan::generate(way).text(about, way)?;
    let text = match &options.plan {
        Some(path) => fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?,
        None => generated,
    };
    let context = || match &options.plan {
        Some(path) => path.display().to_string(),
        None => "the plan that was generated".to_owned(),
    };
    Plan::read(&text, way).with_context(context)?;
    Ok(text)
}

fn tell(path: &Path, about: &About, signed: bool) {
    let how = match &about.way {
        None => String::new(),
        Some(way) if way.patch.is_some() => format!(", from {} while it runs", way.from),
        Some(way) => format!(", from {} by a restart", way.from),
    };
    output::status(
        "Made",
        &format!("{} ({} {}{how})", path.display(), about.name, about.version),
    );
    let way = about.way.iter();
    for reason in way.clone().flat_map(|way| &way.restart) {
        output::warning(&format!(
            "a program that runs can't go over to it: {reason}"
        ));
    }
    for reason in way.flat_map(|way| &way.no_way_back) {
        output::warning(&format!(
            "a program can't go back from it without a restart: {reason}"
        ));
    }
    if !signed {
        output::warning(
            "the release is not signed, so no machine takes it\n  = help: make it with `--key`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_has_a_target_folder() {
        let folder = target_folder(Path::new("/p/target"), "1.0.0");
        assert_eq!(folder, Path::new("/p/target/releases/1.0.0"));
    }

    #[test]
    fn what_cannot_go_live_is_a_reason_to_restart() {
        let refused = Event::Unchanged { files: Vec::new() };
        let reason = restart(refused).unwrap().unwrap();
        assert!(reason.contains("no difference"), "{reason}");
        let failed = Event::Failed {
            message: "the new code needs `a`".to_owned(),
        };
        assert_eq!(
            restart(failed).unwrap().as_deref(),
            Some("the new code needs `a`")
        );
        let other = Event::Started { pid: 1 };
        assert!(restart(other).is_err());
    }
}
