//! The versions of this process: their numbers, their lives, and the images that hold their code.

pub(crate) mod in_use;
pub(crate) mod old;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::event::Event;
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::purge::Kept;
use hotswap_protocol::state::{Back, Migration};
use hotswap_protocol::status::{EntryCalls, ImageStatus, VersionStatus};

use crate::engine::events;
use crate::engine::fork;
use crate::engine::hooks::Hooks;
use crate::engine::image::LoadedImage;
use crate::engine::state::Cells;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::table::{self, Bodies};

/// The versions since the start, by their numbers. Only those leave it of which nothing is left, and only
/// `take_image` takes an image out of it.
static VERSIONS: Mutex<Versions> = Mutex::new(Versions {
    all: Vec::new(),
    support: Vec::new(),
    refused: Vec::new(),
});

#[derive(Debug)]
struct Versions {
    all: Vec<Version>,
    support: Vec<LoadedImage>,
    /// Images that never were current, and whose code has run.
    refused: Vec<Refused>,
}

/// An image that was not taken.
#[derive(Debug)]
struct Refused {
    /// The number that its version would have had; another may have it.
    number: u64,
    image: LoadedImage,
}

/// One version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) number: u64,
    state: State,
    loaded: Instant,
    label: Option<String>,
    image: Option<LoadedImage>,
    /// The version whose code it has, if it is a revert.
    reverts_to: Option<u64>,
    /// A patch file brought its code, which can be reverted until somebody says otherwise.
    is_of_patch: bool,
    /// The cells that its code knows. None as long as no patch has told.
    cells: Option<Cells>,
    /// Its functions that run at swaps. None as long as no patch has told.
    hooks: Option<Hooks>,
    /// Whether those ran that let go of what keeps it.
    has_let_go: bool,
    before: Before,
    /// What keeps its image, as the last attempt to purge it found.
    kept: Option<Kept>,
}

/// What can be gone back to from a version.
#[derive(Debug, Clone)]
pub(crate) enum Before {
    /// Nothing: it is the host's code.
    Nothing,
    /// Nothing any more.
    Dropped,
    /// A version.
    Way(Arc<WayBack>),
}

/// How to go back from a version to the one before.
#[derive(Debug)]
pub(crate) struct WayBack {
    /// The version whose code becomes current again.
    pub(crate) to: u64,
    /// That code.
    pub(crate) bodies: Bodies,
    /// What becomes of values in cells.
    pub(crate) values: Values,
}

/// What becomes of values in cells on the way back.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// They change like this.
    Change(Migration),
    /// They can't, for these reasons.
    Stay(Vec<String>),
}

/// What a version says of its way back before it is current.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// It is an edit of the version that is current then.
    Edit(Values),
    /// It has the code of this version again.
    Revert(u64),
}

impl From<Back> for Origin {
    fn from(back: Back) -> Self {
        match back {
            Back::Way(migration) => Self::Edit(Values::Change(migration)),
            Back::None(reasons) => Self::Edit(Values::Stay(reasons)),
            Back::AsFrom(version) => Self::Revert(version),
        }
    }
}

/// How many versions one can go back, one after the other, besides patches. Their images stay in memory.
const KEPT: usize = 2;

/// How many versions are listed of which nothing is left.
const REMEMBERED: usize = 64;

impl Version {
    /// A version that is prepared and not yet current.
    pub(crate) fn loading(number: u64, label: Option<String>, image: Option<LoadedImage>) -> Self {
        Self {
            number,
            state: State::Loading,
            loaded: Instant::now(),
            label,
            image,
            reverts_to: None,
            is_of_patch: false,
            cells: None,
            hooks: None,
            has_let_go: false,
            before: Before::Nothing,
            kept: None,
        }
    }

    fn host() -> Self {
        Self {
            state: State::Current,
            ..Self::loading(0, None, None)
        }
    }

    /// The same, whose code knows these cells, and has these functions that run at swaps.
    pub(crate) fn with_facts(mut self, cells: Cells, hooks: Hooks) -> Self {
        self.cells = Some(cells);
        self.hooks = Some(hooks);
        self
    }

    /// The same, brought by a patch file.
    pub(crate) fn mark_of_patch(&mut self) {
        self.is_of_patch = true;
    }

    /// Whether nothing is left of it: no code, and no way back.
    fn is_gone(&self) -> bool {
        let is_over = matches!(self.state, State::Retained | State::Purged);
        let is_host = self.number == 0;
        is_over && !is_host && self.image.is_none() && !matches!(self.before, Before::Way(_))
    }

    fn become_state(&mut self, next: State) {
        debug_assert!(
            self.state.may_become(next),
            "version {} was {}",
            self.number,
            self.state
        );
        self.state = next;
        events::tell(&Event::Version {
            number: self.number,
            state: next,
        });
    }

    fn status(&self) -> VersionStatus {
        let age_ms = u64::try_from(self.loaded.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut status = VersionStatus::new(self.number, self.state, age_ms);
        status.label.clone_from(&self.label);
        status.reverts_to = self.reverts_to;
        status.kept.clone_from(&self.kept);
        status.image = self.image.as_ref().map(|image| {
            let (first, bytes) = image.loaded.layout.span();
            ImageStatus::new(image.path.clone(), image.loaded.base as u64 + first, bytes)
        });
        status.in_flight = table::in_flight(self.number)
            .into_iter()
            .map(|(entry, calls)| EntryCalls::new(entry, calls))
            .collect();
        status
    }
}

impl Versions {
    /// Locked, with the host in its place.
    fn lock() -> MutexGuard<'static, Self> {
        let mut versions = lock(&VERSIONS);
        if versions.all.is_empty() {
            versions.all.push(Version::host());
        }
        versions
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.all.binary_search_by_key(&number, |it| it.number).ok()
    }

    fn find(&self, number: u64) -> Option<&Version> {
        Some(&self.all[self.place(number)?])
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Version> {
        let place = self.place(number)?;
        Some(&mut self.all[place])
    }

    /// The version that brought the code that is current.
    fn code_of_current(&self) -> u64 {
        let current = self.all.last();
        current.map_or(0, |it| it.reverts_to.unwrap_or(it.number))
    }

    /// Records that calls go to a version, and no longer to these bodies.
    fn is_current(&mut self, mut version: Version, origin: Origin, bodies: Bodies) {
        version.before = match origin {
            Origin::Edit(values) => Before::Way(Arc::new(WayBack {
                to: self.code_of_current(),
                bodies,
                values,
            })),
            Origin::Revert(to) => {
                version.reverts_to = Some(to);
                let code = self.find(to);
                version.is_of_patch = code.is_some_and(|code| code.is_of_patch);
                code.map_or(Before::Dropped, |code| code.before.clone())
            }
        };
        for old in &mut self.all {
            if old.state == State::Current {
                old.become_state(State::Draining);
            }
        }
        version.become_state(State::Current);
        self.all.push(version);
        self.forget_old_ways();
        self.forget_gone();
    }

    /// Forgets the oldest versions of which nothing is left, so that very many swaps take no more memory.
    fn forget_gone(&mut self) {
        let gone = self.all.iter().filter(|it| it.is_gone()).count();
        let mut surplus = gone.saturating_sub(REMEMBERED);
        self.all.retain(|version| {
            let is_forgotten = surplus > 0 && version.is_gone();
            surplus -= usize::from(is_forgotten);
            !is_forgotten
        });
    }

    /// Keeps the ways that lead back from the current version one after the other: those of all patches that are
    /// applied, but of edits not all.
    fn forget_old_ways(&mut self) {
        let mut kept = BTreeSet::new();
        let mut at = self.all.last();
        let mut are_patches = true;
        for steps in 0.. {
            let Some(version) = at else { break };
            are_patches &= version.is_of_patch;
            if steps >= KEPT && !are_patches {
                break;
            }
            // A revert and the version whose code it has have one way.
            kept.extend([version.number, version.reverts_to.unwrap_or(version.number)]);
            at = match &version.before {
                Before::Way(way) => self.find(way.to),
                _ => None,
            };
        }
        for version in &mut self.all {
            if matches!(version.before, Before::Way(_)) && !kept.contains(&version.number) {
                version.before = Before::Dropped;
            }
        }
    }

    /// Whether one can go back from the current version to the one before the version with this code, step by step.
    fn leads_back_from(&self, code: u64) -> bool {
        let mut at = self.all.last();
        while let Some(version) = at {
            let Before::Way(way) = &version.before else {
                return false;
            };
            if matches!(way.values, Values::Stay(_)) {
                return false;
            }
            if version.reverts_to.unwrap_or(version.number) == code {
                return true;
            }
            at = self.find(way.to);
        }
        false
    }

    /// Versions without a call under way have drained.
    fn notice_drained(&mut self) {
        for version in &mut self.all {
            if version.state == State::Draining && table::in_flight(version.number).is_empty() {
                version.become_state(State::Retained);
            }
        }
    }
}

/// That a version is being loaded, as subscribers are told. Dropping this tells that it is gone again.
pub(crate) struct Loading(u64);

impl Loading {
    /// Tells it.
    pub(crate) fn tell(number: u64) -> Self {
        let state = State::Loading;
        fork::undivided(|| events::tell(&Event::Version { number, state }));
        Self(number)
    }

    /// It is current, or must stay in memory.
    pub(crate) fn stays(self) {
        std::mem::forget(self);
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let (number, state) = (self.0, State::Purged);
        fork::undivided(|| events::tell(&Event::Version { number, state }));
    }
}

/// Starts the record with the host, so that its age is counted from now.
pub(crate) fn begin() {
    drop(Versions::lock());
}

/// The number of the next version to be committed.
pub(crate) fn next_number() -> u64 {
    Versions::lock()
        .all
        .last()
        .map_or(0, |version| version.number)
        + 1
}

/// Whether a support image with this build id is in memory.
pub(crate) fn has_support(build_id: &BuildId) -> bool {
    let versions = Versions::lock();
    versions
        .support
        .iter()
        .any(|image| image.loaded.build_id.as_ref() == Some(build_id))
}

/// The cells of the executable, and its functions that run at swaps, unless a patch has told of them before.
pub(crate) fn set_host_facts(cells: Cells, hooks: Hooks) {
    if let Some(host) = Versions::lock().all.first_mut() {
        host.cells.get_or_insert(cells);
        host.hooks.get_or_insert(hooks);
    }
}

/// The version that brought the code that is current.
pub(crate) fn code_of_current() -> u64 {
    Versions::lock().code_of_current()
}

/// Whether the image that a version brought is in memory.
pub(crate) fn has_image(number: u64) -> bool {
    let versions = Versions::lock();
    versions.find(number).is_some_and(|it| it.image.is_some())
}

/// The functions of a version that run at swaps.
pub(crate) fn hooks_of(number: u64) -> Hooks {
    let hooks = Versions::lock()
        .find(number)
        .and_then(|it| it.hooks.clone());
    hooks.unwrap_or_default()
}

/// What can be gone back to from the version that is current.
pub(crate) fn before_current() -> Before {
    let versions = Versions::lock();
    let current = versions.all.last();
    current.map_or(Before::Nothing, |it| it.before.clone())
}

/// Whether the versions from the current one down to the one that brought this code can be gone back from, one after
/// the other.
pub(crate) fn leads_back_from(code: u64) -> bool {
    Versions::lock().leads_back_from(code)
}

/// The cells that the code of a version knows.
pub(crate) fn cells_of(number: u64) -> Option<Cells> {
    Versions::lock().find(number)?.cells.clone()
}

/// The cells that the code of the current version knows.
pub(crate) fn cells_of_current() -> Cells {
    let versions = Versions::lock();
    let current = versions.all.last();
    current.and_then(|it| it.cells.clone()).unwrap_or_default()
}

/// Makes `version` current: `flip` moves all entries and gives the bodies that were current, and the
/// record follows before anybody can read it.
pub(crate) fn commit(
    version: Version,
    origin: Origin,
    support: Vec<LoadedImage>,
    flip: impl FnOnce() -> Bodies,
) {
    let mut versions = Versions::lock();
    let bodies = flip();
    versions.is_current(version, origin, bodies);
    versions.support.extend(support);
    versions.notice_drained();
}

/// All versions, oldest first, as they are now; of those of which nothing is left, the newest.
pub(crate) fn statuses() -> Vec<VersionStatus> {
    let mut versions = Versions::lock();
    versions.notice_drained();
    versions.all.iter().map(Version::status).collect()
}

#[cfg(test)]
mod tests;
