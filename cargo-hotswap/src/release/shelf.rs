//! `cargo hotswap release unpack`, `list` and `remove`: which releases are on this machine.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use hotswap_protocol::env;
use minisign::PublicKey;

use super::line::{self, ReleaseLine};
use super::live::Live;
use super::store::{Release, Store};
use super::way;
use super::{Place, Refused, code, file};
use crate::control::find::Target;
use crate::patch::signing;

/// What `release unpack` takes.
#[derive(Debug, Clone, Args)]
pub struct UnpackArgs {
    /// The release: a file, or a folder into which one was unpacked
    #[arg(value_name = "RELEASE", value_hint = clap::ValueHint::AnyPath)]
    file: PathBuf,
    /// Public key of minisign's that it must be signed with, as text or as a file; without it, that of
    /// HOTSWAP_PUBLIC_KEY
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// What `release list` takes.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// What `release remove` takes.
#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// The version of the release
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    place: Place,
}

/// Brings a release here; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn unpack(args: &UnpackArgs) -> Result<i32> {
    let read = file::bytes(&args.file);
    let checked = read.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"));
    let checked = checked.and_then(|bytes| {
        let key = key(args.public_key.as_deref())?;
        let trusted = || {
            let sealed = file::open(bytes)?;
            sealed.verify(&key)?;
            Ok((sealed, sealed.contents()?))
        };
        let not_trusted = |error: anyhow::Error| {
            Refused::new(
                code::NOT_TRUSTED,
                format!("{}: {error:#}", args.file.display()),
            )
        };
        trusted().map_err(|error| not_trusted(error).into())
    });
    let format = args.place.message_format;
    let (sealed, contents) = match checked {
        Ok(checked) => checked,
        Err(error) => return line::tell("unpack", Err(error), format),
    };
    let about = &contents.about;
    let root = args.place.root();
    let store = root.map(|root| Store::of(&root, &about.name));
    line::change("unpack", store, format, |store, change| {
        let changed = change.unpack(&sealed, &contents)?;
        let (name, version) = (&about.name, &about.version);
        let text = match (changed, store.permanent()?) {
            (false, _) => format!("nothing: {name} {version} is here already"),
            (true, Some(_)) => format!("{name} {version}"),
            (true, None) => format!(
                "{name} {version}; once it is permanent, start the program as {}",
                store.executable().display()
            ),
        };
        Ok(vec![ReleaseLine::done(about, changed, ("Unpacked", text))])
    })
}

/// The key that releases must be signed with.
fn key(given: Option<&str>) -> Result<PublicKey> {
    let variable = std::env::var(env::PUBLIC_KEY).ok();
    let key = given.or(variable.as_deref().filter(|key| !key.is_empty()));
    signing::public_key(key.context(
        "there is no key to check the release with\n  = help: give one with `--public-key`, or set HOTSWAP_PUBLIC_KEY",
    )?)
}

/// Shows the releases; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn list(args: &ListArgs) -> Result<i32> {
    let listed = args.place.store().and_then(|store| {
        let (releases, history) = (store.releases()?, store.history()?);
        let programs = Live::of(&store, &args.place.target)?;
        let listed = releases
            .iter()
            .map(|release| listed(release, &history, &programs));
        Ok(listed.collect())
    });
    line::tell("list", listed, args.place.message_format)
}

fn listed(release: &Release, history: &[String], programs: &[Live]) -> ReleaseLine {
    let about = &release.about;
    let running = running(release, programs);
    let was = history.contains(&about.version);
    let state = match (history.last() == Some(&about.version), running.is_empty()) {
        (true, _) => "permanent",
        (false, false) => "current",
        (false, true) if was => "old",
        (false, true) => "unpacked",
    };
    let mut text = format!("{} {}: {state}", about.name, about.version);
    if !running.is_empty() {
        let pids: Vec<String> = running.iter().map(u32::to_string).collect();
        text += &format!(", runs as {}", pids.join(", "));
    }
    let from = about.before();
    if let Some(from) = from {
        text += &format!(", from {from} {}", way::how(release));
    }
    ReleaseLine {
        state: Some(state.to_owned()),
        permanent: history.last().cloned(),
        running,
        from: from.map(str::to_owned),
        ..ReleaseLine::done(about, false, ("", text))
    }
}

/// The programs that run a release, however they came to it.
fn running(release: &Release, programs: &[Live]) -> Vec<u32> {
    let runs = |live: &&Live| live.standing(&release.about).runs();
    programs.iter().filter(runs).filter_map(Live::pid).collect()
}

/// Removes a release; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn remove(args: &RemoveArgs) -> Result<i32> {
    let place = &args.place;
    line::change(
        "remove",
        place.store(),
        place.message_format,
        |store, change| {
            let release = store.release(&args.version)?;
            let about = &release.about;
            let uses = |live: &&Live| live.uses(about);
            // Also one that is not meant uses it, and one that can't say so may.
            let (programs, silent) = Live::with_silent(store, &Target::default())?;
            let in_use = programs.iter().find(uses);
            let in_use = in_use
                .map(|live| format!("is in use: {} runs it, or can go back to it", live.shown()));
            let unknown =
                |text| format!("may be in use: {text}\n  = help: let it go on, or end it");
            if let Some(why) = in_use.or_else(|| silent.first().map(unknown)) {
                let text = format!("release {} {why}", args.version);
                return Err(Refused::new(code::IN_USE, text).into());
            }
            change.remove(&args.version)?;
            let text = format!("{} {}", store.name, args.version);
            Ok(vec![ReleaseLine::done(
                &release.about,
                true,
                ("Removed", text),
            )])
        },
    )
}
