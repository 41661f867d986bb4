//! `cargo hotswap release make`: a build, and the ways to it from the one before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_protocol::patch::Digest;

use super::about::{About, Described, FORMAT, Part, Way, check_name, check_version};
use super::origin::{self, Origins, Patched};
use super::plan::Plan;
use super::{code, file, show};
use crate::base::{Base, build};
use crate::death;
use crate::output::{self, Format};
use crate::patch::signing;
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
    /// A release before that one, for programs that were started from it and went over to that one while they ran;
    /// once for each, those between as well
    #[arg(long, value_name = "RELEASE", value_hint = clap::ValueHint::AnyPath, requires = "from")]
    earlier: Vec<PathBuf>,
    /// The file to write; without it, NAME-VERSION.hotrelease in this folder
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Secret key of minisign's to sign with; no machine takes a release without a signature
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// An edited plan to take instead of the one that is generated; once for each way
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "from")]
    plan: Vec<PathBuf>,
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
    // The patches come first: the build may take the place of what they are made from.
    let Some(ways) = ways(options)? else {
        return Ok(death::PANIC_CODE);
    };
    let made = match build::make(project, &selection)? {
        Ok(made) => made,
        Err(code) => return Ok(code),
    };
    for way in &ways {
        same_sources(&made.base, &way.way, way.patch.as_ref())?;
    }
    write(options, &made, ways)
}

/// The ways from the release before, if one is given. None if something does not compile, which has been told.
fn ways(options: &Options) -> Result<Option<Vec<origin::Made>>> {
    let Some(from) = &options.from else {
        return Ok(Some(Vec::new()));
    };
    let wanted = origin::Wanted {
        version: &options.version,
        sequence: options.sequence,
        key: options.key.as_deref(),
    };
    Origins::read(from, &options.earlier, &options.version)?.make(wanted)
}

/// Where a release is built that has no folder given.
fn target_folder(target: &Path, version: &str) -> PathBuf {
    target.join("releases").join(version)
}

/// Whether the build was made from the sources of the patch.
fn same_sources(base: &Base, way: &Way, patch: Option<&Patched>) -> Result<()> {
    if way.below.is_empty() && base.build_id == way.build_id {
        bail!(
            "the build is that of release {}\n  = help: edit something, or make a release of its own without `--from`",
            way.before()
        );
    }
    let Some(patch) = patch else { return Ok(()) };
    // What build scripts write is cargo's affair: it may write the same anew.
    let sources = base.sources.iter();
    let sources = sources.filter(|(path, _)| !path.starts_with(&base.target_directory));
    let built = sources.map(|(path, digest)| (base.shown(path), *digest));
    match edited_between(&patch.sources, built) {
        Some(path) => {
            bail!("{path} was edited while the release was made\n  = help: make it again")
        }
        None => Ok(()),
    }
}

/// A source that said something else when the patch was made than when the program was built. A file that one of both
/// has no use for makes no difference to it.
fn edited_between(
    patched: &BTreeMap<String, Digest>,
    built: impl IntoIterator<Item = (String, Digest)>,
) -> Option<String> {
    let mut built = built.into_iter();
    let other =
        |(path, built): &(String, Digest)| patched.get(path).is_some_and(|said| said != built);
    built.find(other).map(|(path, _)| path)
}

/// Puts it together.
fn write(options: &Options, made: &build::Made, ways: Vec<origin::Made>) -> Result<i32> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("could not read {}", path.display()));
    let mut parts = vec![
        (Part::Executable, read(&made.launch.built.executable)?),
        (Part::Base, read(&made.path)?),
    ];
    let (ways, patches): (Vec<_>, Vec<_>) = ways.into_iter().map(|it| (it.way, it.patch)).unzip();
    let mut about = About {
        format: FORMAT,
        name: made.base.name.clone(),
        version: options.version.clone(),
        build_id: made.base.build_id.clone(),
        tool: format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION")),
        toolchain: made.base.toolchain.clone(),
        ways,
        parts: Vec::new(),
    };
    let plans = plans(&options.plan, &about)?;
    let live: Vec<bool> = plans.iter().map(|(plan, _)| plan.is_live()).collect();
    for (at, (patch, (_, plan))) in patches.into_iter().zip(plans).enumerate() {
        parts.extend(patch.map(|patch| (Part::Patch(at), patch.bytes)));
        parts.push((Part::Plan(at), plan.into_bytes()));
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
        Format::Human => tell(&path, &about, &live, signature.is_some()),
    }
    Ok(code::DONE)
}

/// The plan of each way and its text: that which was edited for it, or else the one that follows from the way.
fn plans(edited: &[PathBuf], about: &About) -> Result<Vec<(Plan, String)>> {
    let mut plans = Vec::new();
    for way in &about.ways {
        let text = Plan::generate(way).text(about, way)?;
        let plan = Plan::read(&text, way).context("the plan that was generated")?;
        plans.push((plan, text));
    }
    let mut taken = vec![false; plans.len()];
    for path in edited {
        let context = || path.display().to_string();
        let text = fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        let from = Plan::parse(&text).with_context(context)?.from;
        let at = about.ways.iter().position(|way| way.from == from);
        let at = at.with_context(|| {
            format!(
                "{} is for programs that have run {from:?}, and no way is for these\n  = help: `cargo hotswap release \
                 show --plan` prints plans as they can be edited",
                path.display()
            )
        })?;
        if std::mem::replace(&mut taken[at], true) {
            bail!("{} is a second plan for the same way", path.display());
        }
        let plan = Plan::read(&text, &about.ways[at]).with_context(context)?;
        plans[at] = (plan, text);
    }
    Ok(plans)
}

/// `live` says of each way whether its plan is one for programs that run.
fn tell(path: &Path, about: &About, live: &[bool], signed: bool) {
    let how = match (about.before(), live.contains(&true)) {
        (Some(before), true) => format!(", from {before} while it runs"),
        (Some(before), false) => format!(", from {before} by a restart"),
        (None, _) => String::new(),
    };
    output::status(
        "Made",
        &format!("{} ({} {}{how})", path.display(), about.name, about.version),
    );
    for (way, live) in about.ways.iter().zip(live) {
        if !way.below.is_empty() && *live {
            output::status("Way", &format!("also from {}", way.shown()));
        }
        for reason in &way.restart {
            output::warning(&format!(
                "a program that runs {} can't go over to it: {reason}",
                way.shown()
            ));
        }
        for reason in &way.no_way_back {
            output::warning(&format!(
                "a program that runs {} can't go back without a restart, once it went over: {reason}",
                way.shown()
            ));
        }
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
    use crate::release::about::tests::{about, way};

    #[test]
    fn each_release_has_a_target_folder() {
        let folder = target_folder(Path::new("/p/target"), "1.0.0");
        assert_eq!(folder, Path::new("/p/target/releases/1.0.0"));
    }

    #[test]
    fn what_is_edited_between_patch_and_build_is_found() {
        let sources = |text: &str| -> BTreeMap<String, Digest> {
            let words = text.split_whitespace().filter_map(|it| it.split_once(':'));
            let said = words.map(|(path, said)| (path.to_owned(), Digest::of(said.as_bytes())));
            said.collect()
        };
        for (patched, built, expected) in [
            ("a:1 b:1", "a:1 b:1", None),
            ("a:2 b:1", "a:3 b:1", Some("a")),
            // It was as in the release before when the patch was made.
            ("a:2 b:1", "a:2 b:2", Some("b")),
            // One of both has no use for it.
            ("a:2", "a:2 b:1", None),
            ("a:2 b:1", "a:2", None),
        ] {
            let found = edited_between(&sources(patched), sources(built));
            assert_eq!(found.as_deref(), expected, "{patched}, {built}");
        }
    }

    #[test]
    fn an_edited_plan_belongs_to_the_way_that_it_names() {
        let ways = vec![way(&["1.0.0"]), way(&["0.9.0", "1.0.0"])];
        let about = about("1.1.0", ways);
        let texts = |edited: &[PathBuf]| -> Result<Vec<String>> {
            let plans = plans(edited, &about)?.into_iter();
            Ok(plans.map(|(_, text)| text).collect())
        };
        let generated = texts(&[]).unwrap();
        assert!(
            !generated[0].contains("0.9.0")
                && generated[1].contains("# It is for 1.0.0 in a program that came from 0.9.0"),
            "{generated:?}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let edited = format!("{}# edited\n", generated[1]);
        let good = file("good", &edited);
        let read = texts(std::slice::from_ref(&good)).unwrap();
        assert_eq!(read, [generated[0].clone(), edited]);
        let other = file("other", &generated[0].replace("\"1.0.0\"", "\"1.0.1\""));
        for (files, expected) in [
            (vec![good.clone(), good], "a second plan for the same way"),
            (vec![other], "have run [\"1.0.1\"], and no way is for these"),
            (vec![file("none", "")], "the plan can't be read"),
            (vec![folder.path().join("gone")], "could not read"),
        ] {
            let error = format!("{:#}", texts(&files).unwrap_err());
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
