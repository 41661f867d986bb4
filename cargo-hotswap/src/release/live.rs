//! Programs that run from the releases of a store, and what is done with them on a way.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hotswap_protocol::address;
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::Digest;
use hotswap_protocol::patch::order::{AppliedPatch, PatchOrder};
use hotswap_protocol::purge::Manner;
use hotswap_protocol::servers::ServerOrder;

use super::about::About;
use super::steps::{Act, Program};
use super::store::Store;
use super::{Refused, code};
use crate::control::find::{Found, Running, Target};
use crate::output;
use crate::patch::trial;
use crate::program::{Connection, Declined};

/// A program that runs.
#[derive(Debug)]
pub(super) struct Live {
    found: Found,
    build_id: Option<BuildId>,
    applied: Vec<AppliedPatch>,
    /// How many of these brought it to the release that it runs. What was applied after them lies on that one.
    over: usize,
}

/// How a program stands to a release. Ways are counted as the release counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was started from it.
    Started,
    /// It came by this way. `stays` is false for a time, if whoever installed it was ended.
    Installed { way: usize, stays: bool },
    /// It came by a way, and other patches lie on the release.
    Covered,
    /// It runs the release before, as this way asks for it.
    Before(usize),
    /// None of these.
    Elsewhere,
}

/// How a program with this build and these patches stands to a release, the first `over` of which are ways to
/// releases.
fn standing(
    about: &About,
    build_id: Option<&BuildId>,
    applied: &[AppliedPatch],
    over: usize,
) -> Standing {
    if over == 0 && build_id == Some(&about.build_id) {
        return Standing::Started;
    }
    let (over, others) = applied.split_at(over);
    let stays = over.iter().all(|patch| patch.expires_ms.is_none());
    let is = |digests: &[Digest]| {
        over.iter()
            .map(|patch| patch.digest)
            .eq(digests.iter().copied())
    };
    for (at, way) in about.ways.iter().enumerate() {
        if build_id != Some(&way.build_id) {
            continue;
        }
        if is(&way.below) && others.is_empty() && stays {
            return Standing::Before(at);
        }
        let mut with = way.below.clone();
        with.extend(way.patch);
        if way.patch.is_some() && is(&with) {
            return match others.is_empty() {
                true => Standing::Installed { way: at, stays },
                false => Standing::Covered,
            };
        }
    }
    Standing::Elsewhere
}

impl Standing {
    /// The program runs the release, however it came to it.
    pub(super) fn runs(self) -> bool {
        matches!(self, Self::Started | Self::Installed { .. } | Self::Covered)
    }

    /// The program runs the release until it ends.
    pub(super) fn stays(self) -> bool {
        self.runs() && !matches!(self, Self::Installed { stays: false, .. })
    }

    /// The way that it came by, or can go.
    pub(super) fn way(self) -> Option<usize> {
        match self {
            Self::Installed { way, .. } | Self::Before(way) => Some(way),
            _ => None,
        }
    }
}

impl Live {
    /// The programs of this store that run, as far as they are meant. What was built from something else is none, nor
    /// is what does not answer, which is told.
    pub(super) fn of(store: &Store, target: &Target) -> Result<Vec<Self>> {
        let (programs, silent) = Self::with_silent(store, target)?;
        for text in silent {
            output::warning(&format!("{text}, and is left out"));
        }
        Ok(programs)
    }

    /// The same, and a text for each program of this name that does not answer.
    pub(super) fn with_silent(store: &Store, target: &Target) -> Result<(Vec<Self>, Vec<String>)> {
        let releases = store.releases()?;
        let ways = releases.iter().flat_map(|release| &release.about.ways);
        let ways = ways.flat_map(|way| way.below.iter().copied().chain(way.patch));
        let ways: BTreeSet<Digest> = ways.collect();
        let mut programs = Vec::new();
        let running = Running::look(target);
        let silent = silent(&running, &store.name);
        for mut found in running.programs {
            let pids = [found.program.pid, found.program.tool];
            if target.pid.is_some_and(|pid| !pids.contains(&Some(pid))) {
                continue;
            }
            let Some(connection) = &mut found.connection else {
                continue;
            };
            let build_id = connection.hello.build_id.clone();
            let is_known = |about: &About| {
                let mut before = about.ways.iter().map(|way| &way.build_id);
                build_id.as_ref() == Some(&about.build_id)
                    || before.any(|before| build_id.as_ref() == Some(before))
            };
            if build_id.is_none() || !releases.iter().any(|release| is_known(&release.about)) {
                continue;
            }
            let report = connection.patch(PatchOrder::List {}, &[]);
            let report = report.with_context(|| format!("{} can't be asked", found.program))?;
            let applied = report.applied;
            let leads = |patch: &AppliedPatch| ways.contains(&patch.digest);
            programs.push(Self {
                over: applied.iter().rposition(leads).map_or(0, |last| last + 1),
                found,
                build_id,
                applied,
            });
        }
        Ok((programs, silent))
    }

    /// How it stands to a release.
    pub(super) fn standing(&self, about: &About) -> Standing {
        standing(about, self.build_id.as_ref(), &self.applied, self.over)
    }

    /// Whether it was started from a release, or went over to it: also if it went on since, it may come back.
    pub(super) fn uses(&self, about: &About) -> bool {
        let came =
            |patch: &AppliedPatch| about.ways.iter().any(|way| way.patch == Some(patch.digest));
        self.build_id.as_ref() == Some(&about.build_id) || self.applied.iter().any(came)
    }

    /// Its process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.found.program.pid
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        let name = &self.found.program.name;
        match self.pid() {
            Some(pid) => format!("{name} (pid {pid})"),
            None => name.clone(),
        }
    }

    /// Its patches, for people.
    pub(super) fn patches_shown(&self) -> String {
        let shown = |patch: &AppliedPatch| match patch.expires_ms {
            Some(_) => format!("`{}` for a time", patch.name),
            None => format!("`{}`", patch.name),
        };
        let patches: Vec<String> = self.applied.iter().map(shown).collect();
        match patches.is_empty() {
            true => "no patches".to_owned(),
            false => format!("the patches {}", patches.join(", ")),
        }
    }

    fn connection(&mut self) -> Result<&mut Connection> {
        let connection = self.found.connection.as_mut();
        connection.context("the program does not answer")
    }

    /// Has it check and load a patch, and drop it again.
    pub(super) fn try_patch(&mut self, patch: &[u8]) -> Result<()> {
        self.apply(patch, None, true)
    }

    fn apply(&mut self, patch: &[u8], ttl: Option<Duration>, dry_run: bool) -> Result<()> {
        let order = PatchOrder::Apply {
            bytes: patch.len() as u64,
            ttl_ms: ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            dry_run,
        };
        let done = self.connection()?.patch(order, patch);
        done.map(drop).map_err(refused)
    }

    fn call(&self, command: &str, limit: Duration) -> Result<()> {
        let status = trial::command(command, &self.found, limit)?;
        let Some(status) = status else {
            bail!(
                "`{command}` did not end within {}",
                humantime::format_duration(limit)
            );
        };
        if !status.success() {
            bail!("`{command}` failed: {status}");
        }
        Ok(())
    }
}

/// What does not answer, and runs an executable of this name.
fn silent(running: &Running, name: &str) -> Vec<String> {
    let told = |(path, problem): &(PathBuf, String)| {
        let pid = address::socket_pid(path.file_name()?)?;
        let executable = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let file = executable.file_name()?.to_str()?;
        // So the system calls one that was removed.
        let is_meant = file.strip_suffix(" (deleted)").unwrap_or(file) == name;
        is_meant.then(|| format!("{name} (pid {pid}) does not answer: {problem}"))
    };
    running.silent.iter().filter_map(told).collect()
}

/// The exit code is that which `patch` would have.
fn refused(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Declined>() {
        Some(Declined { code, message }) => {
            Refused::new(crate::patch::code_of(*code), message.as_str()).into()
        }
        None => error,
    }
}

/// The same of going back. Where nothing leads back any more, as after a brutal purge, a restart does.
fn not_gone_back(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Declined>() {
        Some(Declined { code, message }) if *code == ErrorCode::RevertRefused => {
            let text = format!("{message}; the program has to be restarted");
            Refused::new(code::NEEDS_RESTART, text).into()
        }
        _ => refused(error),
    }
}

/// A program on the way between two releases.
#[derive(Debug)]
pub(super) struct Traveller<'a> {
    pub(super) live: &'a mut Live,
    /// What leads to the release.
    pub(super) patch: &'a [u8],
    /// What it is known by.
    pub(super) digest: Digest,
}

impl Program for Traveller<'_> {
    fn perform(&mut self, act: Act<'_>) -> Result<()> {
        let servers = |live: &mut Live, order: ServerOrder| {
            let done = live.connection()?.servers(order);
            done.map(drop)
        };
        match act {
            Act::Suspend(server, time) => servers(
                self.live,
                ServerOrder::Suspend {
                    server: server.map(str::to_owned),
                    limit_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                    only_while_connected: true,
                },
            ),
            Act::Resume(server) => {
                let server = server.map(str::to_owned);
                servers(self.live, ServerOrder::Resume { server })
            }
            Act::Forward(ttl) => self.live.apply(self.patch, ttl, false),
            Act::Stay => self.stay(),
            Act::Back => {
                let digest = Some(self.digest);
                let done = self
                    .live
                    .connection()?
                    .patch(PatchOrder::Revert { digest }, &[]);
                done.map(drop).map_err(not_gone_back)
            }
            Act::Purge(manner) => self.purge(manner),
            Act::Call(command, limit) => self.live.call(command, limit),
        }
        .with_context(|| format!("could not {}", described(act)))
    }
}

impl Traveller<'_> {
    /// What the program or somebody else has taken back meanwhile stays away.
    fn stay(&mut self) -> Result<()> {
        let report = self.live.connection()?.patch(PatchOrder::List {}, &[])?;
        if !report.applied.iter().any(|it| it.digest == self.digest) {
            bail!("the program has gone back from it already");
        }
        self.live.apply(self.patch, None, false)
    }

    /// What something refers to stays in memory, which is no failure.
    fn purge(&mut self, manner: Manner) -> Result<()> {
        self.live.connection()?.purge(manner).map(drop)
    }
}

fn described(act: Act<'_>) -> String {
    let of = |server: Option<&str>| match server {
        Some(name) => format!("the server `{name}`"),
        None => "all servers".to_owned(),
    };
    match act {
        Act::Suspend(server, _) => format!("suspend {}", of(server)),
        Act::Resume(server) => format!("resume {}", of(server)),
        Act::Forward(_) => "load the release's code".to_owned(),
        Act::Stay => "keep the release's code".to_owned(),
        Act::Back => "load the code from before".to_owned(),
        Act::Purge(_) => "purge old code".to_owned(),
        Act::Call(..) => "call a command".to_owned(),
    }
}

/// The one of these that is meant.
///
/// # Errors
///
/// There is none, or there are several.
pub(super) fn one(mut programs: Vec<Live>, store: &Store) -> Result<Live> {
    let text = match programs.len() {
        1 => return programs.pop().context("there is one"),
        0 => format!(
            "no `{}` runs here that was started from one of its releases and takes patches",
            store.name
        ),
        _ => {
            let all: Vec<String> = programs.iter().map(Live::shown).collect();
            format!("several run: {}; say which with `--pid`", all.join(", "))
        }
    };
    Err(Refused::new(code::NONE, text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::about::tests::{about, way};

    /// A patch whose content is a version, which is a way to the next one.
    fn patch(content: &str, expires_ms: Option<u64>) -> AppliedPatch {
        AppliedPatch {
            digest: Digest::of(content.as_bytes()),
            name: "p".into(),
            sequence: 1,
            version: 1,
            expires_ms,
            panics: 0,
        }
    }

    #[test]
    fn programs_stand_to_a_release_by_build_and_patches() {
        let about = about("1.1.0", vec![way(&["1.0.0"]), way(&["0.9.0", "1.0.0"])]);
        let (first, second, fix) = (
            patch("0.9.0", None),
            patch("1.0.0", None),
            patch("fix", None),
        );
        let of = |way, stays| Standing::Installed { way, stays };
        let build_id = |version: &str| BuildId::from_bytes(version.as_bytes()).ok();
        for (build, applied, over, expected) in [
            ("1.1.0", vec![], 0, Standing::Started),
            ("1.1.0", vec![fix.clone()], 0, Standing::Started),
            // It went on to another release.
            ("1.1.0", vec![patch("1.1.0", None)], 1, Standing::Elsewhere),
            ("1.0.0", vec![], 0, Standing::Before(0)),
            ("1.0.0", vec![fix.clone()], 0, Standing::Elsewhere),
            ("1.0.0", vec![second.clone()], 1, of(0, true)),
            ("1.0.0", vec![patch("1.0.0", Some(5))], 1, of(0, false)),
            (
                "1.0.0",
                vec![second.clone(), fix.clone()],
                1,
                Standing::Covered,
            ),
            ("0.9.0", vec![], 0, Standing::Elsewhere),
            ("0.9.0", vec![first.clone()], 1, Standing::Before(1)),
            // It goes back by itself.
            (
                "0.9.0",
                vec![patch("0.9.0", Some(5))],
                1,
                Standing::Elsewhere,
            ),
            (
                "0.9.0",
                vec![first.clone(), fix.clone()],
                1,
                Standing::Elsewhere,
            ),
            ("0.9.0", vec![first.clone(), second.clone()], 2, of(1, true)),
            (
                "0.9.0",
                vec![first.clone(), second.clone(), fix],
                2,
                Standing::Covered,
            ),
            (
                "0.9.0",
                vec![first, second, patch("1.1.0", None)],
                3,
                Standing::Elsewhere,
            ),
            ("0.8.0", vec![], 0, Standing::Elsewhere),
        ] {
            let build_id = build_id(build);
            let found = standing(&about, build_id.as_ref(), &applied, over);
            assert_eq!(found, expected, "{build} {applied:?}");
        }
        assert_eq!(standing(&about, None, &[], 0), Standing::Elsewhere);
        assert_eq!(of(1, true).way(), Some(1));
        assert!(of(1, false).runs() && !of(1, false).stays());
    }
}
