//! `cargo hotswap release check`, `install` and `permanent`: from one release to another.

use anyhow::{Context, Result};
use clap::Args;
use hotswap_protocol::patch::Digest;

use super::about::{self, About, Part};
use super::line::{self, ReleaseLine};
use super::live::{self, Live, Traveller};
use super::plan::{Direction, Plan, Step};
use super::steps::{self, Failure};
use super::store::{Release, Store};
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

/// A way with what belongs to it.
struct Way {
    /// As its release counts it.
    at: usize,
    /// The release that it begins at.
    before: String,
    plan: Plan,
    /// The patch, if there is one.
    patch: Vec<u8>,
    digest: Option<Digest>,
    /// Whether a program that went it can come back.
    returns: bool,
}

impl Way {
    fn read(release: &Release, at: usize) -> Result<Self> {
        let way = &release.about.ways[at];
        let plan = release.part(Part::Plan(at))?;
        let plan = Plan::read(&String::from_utf8_lossy(&plan), way)?;
        let patch = way.patch.map(|_| release.part(Part::Patch(at)));
        Ok(Self {
            at,
            before: way.before().to_owned(),
            plan,
            patch: patch.transpose()?.unwrap_or_default(),
            digest: way.patch,
            returns: way.no_way_back.is_empty(),
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
        let steps = self.plan.steps(direction);
        let done = steps::run(steps, direction, self.returns, &mut traveller);
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

/// How programs come to a release from the one before, for people.
pub(super) fn how(release: &Release) -> &'static str {
    let ways = release.about.ways.iter().enumerate();
    let plans = ways.map(|(at, way)| {
        let text = release.part(Part::Plan(at)).ok()?;
        Plan::read(&String::from_utf8_lossy(&text), way).ok()
    });
    match plans.collect::<Option<Vec<_>>>() {
        None => "by a plan that is damaged",
        Some(plans) if plans.iter().any(Plan::is_live) => "live",
        Some(_) => "by a restart",
    }
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
    let standing = live.standing(about);
    if standing.stays() {
        return Ok(None);
    }
    let Some(at) = standing.way() else {
        return Err(no_way(about, live).into());
    };
    let way = Way::read(release, at)?;
    way.check_live(Direction::Up, &restart_help(about))?;
    Ok(Some(way))
}

/// Why a program has no way to a release.
fn no_way(about: &About, live: &Live) -> Refused {
    let version = &about.version;
    if about.ways.is_empty() {
        let text = format!(
            "no way leads to {version}: it was made without `--from`\n  = help: {}",
            restart_help(about)
        );
        return Refused::new(code::NEEDS_RESTART, text);
    }
    let ways: Vec<String> = about.ways.iter().map(about::Way::shown).collect();
    let text = format!(
        "{} does not run what a way to {version} begins at: {}, for good and with no other patch\n  = note: it has {}\n  \
         = help: go back from what is applied, or install what the way begins at first; `cargo hotswap release make \
         --earlier` makes ways for programs that went over while they ran; or restart the program, and try again",
        live.shown(),
        ways.join("; "),
        live.patches_shown()
    );
    Refused::new(code::DOES_NOT_FIT, text)
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
            let mut gone = Vec::new();
            for live in &mut programs {
                let came = install_one(&release, live);
                let failed = came.is_err();
                let (way, line) = came.unwrap_or_else(|error| {
                    (None, ReleaseLine::failed(Some(&release.about), &error))
                });
                lines.push(line.of(live.pid()));
                if failed {
                    lines.extend(take_back(&release, gone));
                    break;
                }
                gone.extend(way.map(|way| (way, live)));
            }
            Ok(lines)
        },
    )
}

/// Has a program go over to a release; the way is none if it was there.
fn install_one(release: &Release, live: &mut Live) -> Result<(Option<usize>, ReleaseLine)> {
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
    let told = ("Installed", text);
    let line = ReleaseLine::done(&release.about, way.is_some(), told);
    Ok((way.map(|way| way.at), line))
}

/// Has programs go back that went over to a release before one of them failed.
fn take_back(release: &Release, programs: Vec<(usize, &mut Live)>) -> Vec<ReleaseLine> {
    let lines = programs.into_iter().map(|(way, live)| {
        let line = back(release, way, live);
        let line = line.unwrap_or_else(|error| ReleaseLine::failed(Some(&release.about), &error));
        line.of(live.pid())
    });
    lines.collect()
}

/// Has a program go back from a release, to which it came by this way.
pub(super) fn back(release: &Release, way: usize, live: &mut Live) -> Result<ReleaseLine> {
    let way = Way::read(release, way)?;
    way.check_live(Direction::Down, &format!("restart {}", live.shown()))?;
    way.go(Direction::Down, live)?;
    let text = format!("{} to {}", live.shown(), way.before);
    Ok(ReleaseLine::done(
        &release.about,
        true,
        ("Rolled back", text),
    ))
}

/// Has a program go over to a release again, from which it went back by this way.
pub(super) fn forward(release: &Release, way: usize, live: &mut Live) -> Result<ReleaseLine> {
    let way = Way::read(release, way)?;
    way.check_live(Direction::Up, &restart_help(&release.about))?;
    way.go(Direction::Up, live)?;
    let text = format!("{} in {} again", release.about.version, live.shown());
    Ok(ReleaseLine::done(&release.about, true, ("Installed", text)))
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
