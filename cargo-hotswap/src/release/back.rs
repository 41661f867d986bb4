//! `cargo hotswap release rollback`: from a release to the one before.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use clap::Args;

use super::about::{About, Part};
use super::line::{self, ReleaseLine};
use super::live::{Live, Standing};
use super::store::{Change, Release, Store};
use super::way::{back, forward};
use super::{Place, Refused, code};

/// What `release rollback` takes.
#[derive(Debug, Clone, Args)]
pub struct RollbackArgs {
    /// The version to go back from: nothing is done where it is neither installed nor permanent. Without it,
    /// the one that is installed and comes after the permanent one or, if none is, the permanent one
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Goes back to the release before; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn rollback(args: &RollbackArgs) -> Result<i32> {
    let place = &args.place;
    line::change(
        "rollback",
        place.store(),
        place.message_format,
        |store, change| {
            let programs = Live::of(store, &place.target)?;
            let permanent = store.permanent()?;
            let version = match &args.version {
                Some(version) => version.clone(),
                None => installed(store, &programs)?
                    .or_else(|| permanent.clone())
                    .ok_or_else(|| {
                        Refused::new(code::NONE, "no release is installed or permanent")
                    })?,
            };
            let release = store.release(&version)?;
            match permanent.as_deref() == Some(&version) {
                true => go_back(store, change, &release, programs),
                false => Ok(leave(&release, programs)),
            }
        },
    )
}

/// The newest release that some program went over to, which is neither the permanent one nor one of those before that:
/// whoever has made another one permanent does not mean to go back from one before it.
fn installed(store: &Store, programs: &[Live]) -> Result<Option<String>> {
    let mut releases = store.releases()?;
    let older = until(&releases, store.permanent()?);
    releases.retain(|release| !older.contains(&release.about.version));
    let runs = |about: &About, live: &Live| {
        let standing = live.standing(about);
        standing.runs() && standing != Standing::Started
    };
    let found = releases
        .into_iter()
        .rfind(|release| programs.iter().any(|live| runs(&release.about, live)));
    Ok(found.map(|release| release.about.version))
}

/// A release and all that it was made from, one after the other.
fn until(releases: &[Release], mut version: Option<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    while let Some(one) = version.filter(|one| !all.contains(one)) {
        let release = releases.iter().find(|it| it.about.version == one);
        version = release.and_then(|it| it.about.before().map(str::to_owned));
        all.insert(one);
    }
    all
}

/// Goes back from the permanent release. The next start comes first: whoever is ended in between leaves a program
/// that has the release installed, and not permanently.
fn go_back(
    store: &Store,
    change: &Change<'_>,
    release: &Release,
    programs: Vec<Live>,
) -> Result<Vec<ReleaseLine>> {
    let history = store.history()?;
    let [.., before, version] = history.as_slice() else {
        let text = format!(
            "no release was permanent before {}\n  = help: `cargo hotswap release permanent VERSION --on-restart` makes \
             another one permanent; where the program is started from elsewhere, it comes back as what is there once \
             the link {} is removed",
            release.about.version,
            store.link().display()
        );
        return Err(Refused::new(code::DOES_NOT_FIT, text).into());
    };
    // It must be there to be started.
    store.release(before)?.part(Part::Executable)?;
    change.go_back()?;
    let text = format!(
        "{} from {version} to {before}, for its next start",
        store.name
    );
    let mut lines = vec![ReleaseLine::done(
        &release.about,
        true,
        ("Rolled back", text),
    )];
    lines.extend(
        leave(release, programs)
            .into_iter()
            .filter(|line| line.pid.is_some()),
    );
    if lines.iter().any(has_failed) {
        change.set_permanent(version)?;
        lines.remove(0);
    }
    Ok(lines)
}

/// A restart does what is left; anything else undoes what was done before.
fn has_failed(line: &ReleaseLine) -> bool {
    ![code::DONE, code::NEEDS_RESTART].contains(&line.code)
}

/// Has programs go back that run a release. If one fails, those before it go there again.
fn leave(release: &Release, programs: Vec<Live>) -> Vec<ReleaseLine> {
    let about = &release.about;
    let (mut lines, mut gone) = (Vec::new(), Vec::new());
    for mut live in programs {
        let standing = live.standing(about);
        if !standing.runs() {
            continue;
        }
        let line = leave_one(release, standing, &mut live);
        let line = line.unwrap_or_else(|error| ReleaseLine::failed(Some(about), &error));
        let line = line.of(live.pid());
        if has_failed(&line) {
            // Those that need a restart do not any more.
            lines.retain(|line: &ReleaseLine| line.code == code::DONE);
            lines.push(line);
            lines.extend(forward_all(release, gone));
            break;
        }
        if let (code::DONE, Some(way)) = (line.code, standing.way()) {
            gone.push((way, live));
        }
        lines.push(line);
    }
    if lines.is_empty() {
        let text = format!("nothing: {} is not installed", about.version);
        lines.push(ReleaseLine::done(about, false, ("Rolled back", text)));
    }
    lines
}

/// Has programs go over to a release that went back from it before one of them failed.
fn forward_all(release: &Release, programs: Vec<(usize, Live)>) -> Vec<ReleaseLine> {
    let lines = programs.into_iter().map(|(way, mut live)| {
        let line = forward(release, way, &mut live);
        let line = line.unwrap_or_else(|error| ReleaseLine::failed(Some(&release.about), &error));
        line.of(live.pid())
    });
    lines.collect()
}

fn leave_one(release: &Release, standing: Standing, live: &mut Live) -> Result<ReleaseLine> {
    let (program, version) = (live.shown(), &release.about.version);
    match standing {
        Standing::Started => {
            let text = format!(
                "{program} was started from {version}, so only a restart takes it back\n  = help: restart it"
            );
            Err(Refused::new(code::NEEDS_RESTART, text).into())
        }
        Standing::Covered => {
            let text = format!(
                "{program} has patches that lie on {version}\n  = help: go back from them with `cargo hotswap patch \
                 revert` first"
            );
            Err(Refused::new(code::DOES_NOT_FIT, text).into())
        }
        Standing::Installed { way, .. } | Standing::Before(way) => back(release, way, live),
        Standing::Elsewhere => bail!("{program} does not run {version}"),
    }
}
