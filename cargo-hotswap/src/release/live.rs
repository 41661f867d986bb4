//! Programs that run from the releases of a store, and what is done with them on a way.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hotswap_protocol::address;
use hotswap_protocol::build_id::BuildId;
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
    /// It went over to another release than it was started from.
    moved: bool,
}

/// How a program stands to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was started from it.
    Started,
    /// It was started from the release before, and has the patch. False: only for a time, since whoever installed it
    /// was ended.
    Installed(bool),
    /// The same, and other patches lie on that one.
    Covered,
    /// It was started from the release before, and runs that.
    Before,
    /// None of these.
    Elsewhere,
}

/// How a program with this build and these patches stands to a release. `moved` if one of these is another release.
fn standing(
    about: &About,
    build_id: Option<&BuildId>,
    applied: &[AppliedPatch],
    moved: bool,
) -> Standing {
    let is = |other: &BuildId| build_id == Some(other);
    if is(&about.build_id) {
        return match moved {
            true => Standing::Elsewhere,
            false => Standing::Started,
        };
    }
    let Some(way) = about.way.as_ref().filter(|way| is(&way.build_id)) else {
        return Standing::Elsewhere;
    };
    let is_way = |one: &AppliedPatch| way.patch == Some(one.digest);
    match applied {
        [] => Standing::Before,
        [one] if is_way(one) => Standing::Installed(one.expires_ms.is_none()),
        several if several.iter().any(is_way) => Standing::Covered,
        _ => Standing::Elsewhere,
    }
}

impl Standing {
    /// The program runs the release, however it came to it.
    pub(super) fn runs(self) -> bool {
        matches!(self, Self::Started | Self::Installed(_) | Self::Covered)
    }

    /// The program runs the release until it ends.
    pub(super) fn stays(self) -> bool {
        self.runs() && self != Self::Installed(false)
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
        let mut programs = Vec::new();
        let running = Running::look();
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
                let before = about.way.as_ref().map(|way| &way.build_id);
                [Some(&about.build_id), before].contains(&build_id.as_ref())
            };
            if build_id.is_none() || !releases.iter().any(|release| is_known(&release.about)) {
                continue;
            }
            let report = connection.patch(PatchOrder::List {}, &[]);
            let report = report.with_context(|| format!("{} can't be asked", found.program))?;
            let applied = report.applied;
            let ways = releases
                .iter()
                .filter_map(|release| release.about.way.as_ref()?.patch);
            let ways: Vec<Digest> = ways.collect();
            programs.push(Self {
                moved: applied.iter().any(|patch| ways.contains(&patch.digest)),
                found,
                build_id,
                applied,
            });
        }
        Ok((programs, silent))
    }

    /// How it stands to a release.
    pub(super) fn standing(&self, about: &About) -> Standing {
        standing(about, self.build_id.as_ref(), &self.applied, self.moved)
    }

    /// Whether its executable is that of a release.
    pub(super) fn has_executable_of(&self, about: &About) -> bool {
        self.build_id.as_ref() == Some(&about.build_id)
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
            Act::Back => {
                let digest = Some(self.digest);
                let done = self
                    .live
                    .connection()?
                    .patch(PatchOrder::Revert { digest }, &[]);
                done.map(drop).map_err(refused)
            }
            Act::Purge(manner) => self.purge(manner),
            Act::Call(command, limit) => self.live.call(command, limit),
        }
        .with_context(|| format!("could not {}", described(act)))
    }
}

impl Traveller<'_> {
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

    #[test]
    fn programs_stand_to_a_release_by_build_and_patches() {
        let patch = |content: &[u8], expires_ms: Option<u64>| AppliedPatch {
            digest: Digest::of(content),
            name: "p".into(),
            sequence: 1,
            version: 1,
            expires_ms,
            panics: 0,
        };
        let (good, other) = (patch(b"1", None), patch(b"2", None));
        let build_id = |version: &str| BuildId::from_bytes(version.as_bytes()).ok();
        let about = about("1.1.0", Some(way("1.0.0")));
        for (build, applied, expected) in [
            ("1.1.0", vec![], Standing::Started),
            ("1.0.0", vec![], Standing::Before),
            ("1.0.0", vec![good.clone()], Standing::Installed(true)),
            (
                "1.0.0",
                vec![patch(b"1", Some(5))],
                Standing::Installed(false),
            ),
            ("1.0.0", vec![other.clone()], Standing::Elsewhere),
            (
                "1.0.0",
                vec![good.clone(), other.clone()],
                Standing::Covered,
            ),
            ("1.1.0", vec![other], Standing::Started),
            ("0.9.0", vec![], Standing::Elsewhere),
        ] {
            let build_id = build_id(build);
            let found = standing(&about, build_id.as_ref(), &applied, false);
            assert_eq!(found, expected, "{build} {applied:?}");
        }
        assert_eq!(standing(&about, None, &[good], false), Standing::Elsewhere);
        let started = build_id("1.1.0");
        assert_eq!(
            standing(&about, started.as_ref(), &[], true),
            Standing::Elsewhere
        );
    }
}
