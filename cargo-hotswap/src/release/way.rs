//! `cargo hotswap release check`, `install`, `permanent` and `rollback`: from one release to another, and back.

use anyhow::{Context, Result};
use clap::Args;
use hotswap_protocol::patch::Digest;

use super::about::{About, Part};
use super::line::{self, ReleaseLine};
use super::live::{self, Live, Standing, Traveller};
use super::plan::{Direction, Plan, Step};
use super::steps::{self, Failure};
use super::store::{Change, Release, Store};
use super::{Place, Refused, code};

/// What `release check` and `install` take.
#[derive(Debug, Clone, Args)]
pub struct WayArgs {
    /// The version of the release
    #[arg(value_name = "VERSION")]
    version: String,
    /// All programs that run from these releases; if one fails, those before it go back
    #[arg(long, conflicts_with = "pid", help_heading = "Program Selection")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

/// What `release permanent` takes.
#[derive(Debug, Clone, Args)]
pub struct PermanentArgs {
    /// The version of the release
    #[arg(value_name = "VERSION")]
    version: String,
    /// Also if no running program has it installed: it begins with the next start
    #[arg(long)]
    on_restart: bool,
    #[command(flatten)]
    place: Place,
}

/// What `release rollback` takes.
#[derive(Debug, Clone, Args)]
pub struct RollbackArgs {
    /// The version to go back from: nothing is done where it is neither installed nor permanent. Without it,
    /// the one that is installed or, if none is, the permanent one
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// A release with what leads to it.
struct Way {
    about: About,
    plan: Plan,
    /// The patch, if there is one.
    patch: Vec<u8>,
    digest: Option<Digest>,
}

impl Way {
    fn read(release: &Release) -> Result<Self> {
        let about = release.about.clone();
        let Some(way) = &about.way else {
            let text = format!(
                "no way leads to {}: it was made without `--from`\n  = help: {}",
                about.version,
                restart_help(&about)
            );
            return Err(Refused::new(code::NEEDS_RESTART, text).into());
        };
        let plan = release.part(Part::Plan)?;
        let plan = Plan::read(&String::from_utf8_lossy(&plan), way)?;
        let patch = way.patch.map(|_| release.part(Part::Patch)).transpose()?;
        let (patch, digest) = (patch.unwrap_or_default(), way.patch);
        Ok(Self {
            about,
            plan,
            patch,
            digest,
        })
    }

    /// Refuses where nothing but a restart leads.
    fn check_live(&self, direction: Direction, help: &str) -> Result<()> {
        let [Step::Restart { reasons }] = self.plan.steps(direction) else {
            return Ok(());
        };
        let text = format!(
            "the program has to be restarted: {}\n  = help: {help}",
            reasons.join("; ")
        );
        Err(Refused::new(code::NEEDS_RESTART, text).into())
    }

    /// Goes it with a program.
    fn go(&self, direction: Direction, live: &mut Live) -> Result<()> {
        let digest = self.digest.context("there is no patch")?;
        let patch = &self.patch;
        let mut traveller = Traveller {
            live,
            patch,
            digest,
        };
        let done = steps::run(self.plan.steps(direction), direction, &mut traveller);
        done.map_err(explained)
    }
}

/// A failure, and how the program is after it.
fn explained(failure: Failure) -> anyhow::Error {
    let Failure {
        error,
        stays,
        not_undone,
    } = failure;
    let refused = error.downcast_ref::<Refused>();
    let code = refused.map_or(code::NOT_TAKEN, |refused| refused.code);
    let mut text = format!("{error:#}");
    text += match (stays, not_undone.is_empty()) {
        (true, _) => {
            "\n  = why: the point of no return was behind, so nothing before it was undone"
        }
        (false, true) => {
            "\n  = why: a step of the plan failed, and the program is as it was before"
        }
        (false, false) => {
            "\n  = why: a step of the plan failed, and not all before it could be undone; what was to stay only \
             after the last step is taken back by the program itself, within minutes"
        }
    };
    for error in not_undone {
        text += &format!("\n  = not undone: {error:#}");
    }
    Refused::new(code, text).into()
}

fn restart_help(about: &About) -> String {
    format!(
        "`cargo hotswap release permanent {} --on-restart`, and restart the program",
        about.version
    )
}

/// The programs that are meant.
fn meant(args: &WayArgs, store: &Store) -> Result<Vec<Live>> {
    let programs = Live::of(store, &args.place.target)?;
    match args.all && !programs.is_empty() {
        true => Ok(programs),
        false => live::one(programs, store).map(|one| vec![one]),
    }
}

/// The way that the program is to go to a release; none if it is there.
fn to_go(release: &Release, live: &Live) -> Result<Option<Way>> {
    let about = &release.about;
    match live.standing(about) {
        Standing::Started | Standing::Installed(true) | Standing::Covered => Ok(None),
        _ if about.way.is_none() => Way::read(release).map(Some),
        Standing::Before | Standing::Installed(false) => {
            let way = Way::read(release)?;
            way.check_live(Direction::Up, &restart_help(about))?;
            Ok(Some(way))
        }
        Standing::Elsewhere => {
            let from = about.way.as_ref().map_or("", |way| &way.from);
            let text = format!(
                "{} does not run {from} as it was started, from where a way leads to {}\n  = help: go back from what \
                 is installed or applied, or restart the program, and try again",
                live.shown(),
                about.version
            );
            Err(Refused::new(code::DOES_NOT_FIT, text).into())
        }
    }
}

/// Tries a way; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn check(args: &WayArgs) -> Result<i32> {
    let checked = args.place.store().and_then(|store| {
        let release = store.release(&args.version)?;
        let permanent = store.permanent()?;
        let mut programs = meant(args, &store)?;
        let lines = programs.iter_mut().map(|live| {
            let line = check_one(&release, live);
            let line =
                line.unwrap_or_else(|error| ReleaseLine::failed(Some(&release.about), &error));
            ReleaseLine {
                permanent: permanent.clone(),
                ..line.of(live.pid())
            }
        });
        Ok(lines.collect())
    });
    line::tell("check", checked, args.place.message_format)
}

fn check_one(release: &Release, live: &mut Live) -> Result<ReleaseLine> {
    let (program, version) = (live.shown(), &release.about.version);
    let text = match to_go(release, live)? {
        Some(way) => {
            live.try_patch(&way.patch)?;
            format!("{program} would go over to {version}")
        }
        None => format!("{program} runs {version} already"),
    };
    Ok(ReleaseLine::done(&release.about, false, ("Checked", text)))
}

/// Goes to a release; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn install(args: &WayArgs) -> Result<i32> {
    let place = &args.place;
    line::change(
        "install",
        place.store(),
        place.message_format,
        |store, _| {
            let release = store.release(&args.version)?;
            let mut programs = meant(args, store)?;
            let mut lines = Vec::new();
            for at in 0..programs.len() {
                let (done, rest) = programs.split_at_mut(at);
                let line = install_one(&release, &mut rest[0]);
                let failed = line.is_err();
                let line =
                    line.unwrap_or_else(|error| ReleaseLine::failed(Some(&release.about), &error));
                lines.push(line.of(rest[0].pid()));
                if failed {
                    take_back(&release, done, &mut lines);
                    break;
                }
            }
            Ok(lines)
        },
    )
}

fn install_one(release: &Release, live: &mut Live) -> Result<ReleaseLine> {
    let (program, version) = (live.shown(), &release.about.version);
    let way = to_go(release, live)?;
    let text = match &way {
        Some(way) => {
            way.go(Direction::Up, live)?;
            format!(
                "{version} in {program}; a restart goes back until `release permanent {version}`"
            )
        }
        None => format!("nothing: {program} runs {version} already"),
    };
    let changed = way.is_some();
    Ok(ReleaseLine::done(
        &release.about,
        changed,
        ("Installed", text),
    ))
}

/// Has programs go back that went over to a release before one of them failed.
fn take_back(release: &Release, programs: &mut [Live], lines: &mut Vec<ReleaseLine>) {
    let changed: Vec<bool> = lines.iter().map(|line| line.changed).collect();
    for (live, _) in programs
        .iter_mut()
        .zip(changed)
        .filter(|(_, changed)| *changed)
    {
        let line = back(release, live);
        let line = line.unwrap_or_else(|error| ReleaseLine::failed(Some(&release.about), &error));
        lines.push(line.of(live.pid()));
    }
}

/// Has a program go back from a release.
fn back(release: &Release, live: &mut Live) -> Result<ReleaseLine> {
    let way = Way::read(release)?;
    let about = &way.about;
    let from = about.way.as_ref().map_or("", |way| &way.from);
    way.check_live(Direction::Down, &format!("restart {}", live.shown()))?;
    way.go(Direction::Down, live)?;
    let text = format!("{} to {from}", live.shown());
    Ok(ReleaseLine::done(about, true, ("Rolled back", text)))
}

/// Has the program start from a release; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn permanent(args: &PermanentArgs) -> Result<i32> {
    let place = &args.place;
    line::change(
        "permanent",
        place.store(),
        place.message_format,
        |store, change| {
            let release = store.release(&args.version)?;
            let about = &release.about;
            let before = store.permanent()?;
            if before.as_deref() != Some(&args.version) && before.is_some() && !args.on_restart {
                check_runs(about, &Live::of(store, &place.target)?)?;
            }
            // Nothing is started that was changed.
            release.part(Part::Executable)?;
            let changed = change.set_permanent(&args.version)?;
            let text = format!(
                "{} {}: {}",
                store.name,
                args.version,
                store.executable().display()
            );
            Ok(vec![ReleaseLine::done(about, changed, ("Permanent", text))])
        },
    )
}

/// Whether the programs that run have a release, and one does.
fn check_runs(about: &About, programs: &[Live]) -> Result<()> {
    let runs = |live: &&Live| live.standing(about).stays();
    let other = programs.iter().find(|live| !runs(live));
    let what = match (programs, other) {
        ([], _) => "no running program has it installed".to_owned(),
        (_, Some(other)) => format!("{} does not run it", other.shown()),
        (_, None) => return Ok(()),
    };
    let text = format!(
        "release {} is not made permanent: {what}\n  = help: install it first, or say `--on-restart` if it shall \
         begin with the next start",
        about.version
    );
    Err(Refused::new(code::DOES_NOT_FIT, text).into())
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

/// The release that some program runs beside the permanent one.
fn installed(store: &Store, programs: &[Live]) -> Result<Option<String>> {
    let permanent = store.permanent()?;
    let mut releases = store.releases()?;
    releases.retain(|release| Some(&release.about.version) != permanent.as_ref());
    let runs = |about: &About, live: &Live| {
        let standing = live.standing(about);
        standing.runs() && standing != Standing::Started
    };
    let found = releases
        .into_iter()
        .find(|release| programs.iter().any(|live| runs(&release.about, live)));
    Ok(found.map(|release| release.about.version))
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
    let failed = |line: &ReleaseLine| ![code::DONE, code::NEEDS_RESTART].contains(&line.code);
    if lines.iter().any(failed) {
        change.set_permanent(version)?;
        lines.remove(0);
    }
    Ok(lines)
}

/// Has programs go back that run a release.
fn leave(release: &Release, programs: Vec<Live>) -> Vec<ReleaseLine> {
    let about = &release.about;
    let mut lines = Vec::new();
    for mut live in programs {
        let standing = live.standing(about);
        if standing.runs() {
            let line = leave_one(release, standing, &mut live);
            let line = line.unwrap_or_else(|error| ReleaseLine::failed(Some(about), &error));
            lines.push(line.of(live.pid()));
        }
    }
    if lines.is_empty() {
        let text = format!("nothing: {} is not installed", about.version);
        lines.push(ReleaseLine::done(about, false, ("Rolled back", text)));
    }
    lines
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
        _ => back(release, live),
    }
}
