//! The versions of this process: their numbers, their lives, and the images that hold their code.

use std::time::Instant;

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::status::{EntryCalls, ImageStatus, VersionStatus};

use crate::engine::image::LoadedImage;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::table;

/// All versions since the start. Nothing leaves it, so no image's code is ever unmapped once a call
/// could have reached it.
static VERSIONS: Mutex<Versions> = Mutex::new(Versions {
    all: Vec::new(),
    support: Vec::new(),
});

#[derive(Debug)]
struct Versions {
    all: Vec<Version>,
    support: Vec<LoadedImage>,
}

/// One version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) number: u64,
    state: State,
    loaded: Instant,
    label: Option<String>,
    image: Option<LoadedImage>,
}

impl Version {
    /// A version that is prepared and not yet current.
    pub(crate) fn loading(number: u64, label: Option<String>, image: Option<LoadedImage>) -> Self {
        Self {
            number,
            state: State::Loading,
            loaded: Instant::now(),
            label,
            image,
        }
    }

    fn host() -> Self {
        Self {
            state: State::Current,
            ..Self::loading(0, None, None)
        }
    }

    fn become_state(&mut self, next: State) {
        debug_assert!(
            self.state.may_become(next),
            "version {} was {}",
            self.number,
            self.state
        );
        self.state = next;
    }

    fn status(&self) -> VersionStatus {
        let age_ms = u64::try_from(self.loaded.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut status = VersionStatus::new(self.number, self.state, age_ms);
        status.label.clone_from(&self.label);
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

    /// Versions without a call under way have drained.
    fn notice_drained(&mut self) {
        for version in &mut self.all {
            if version.state == State::Draining && table::in_flight(version.number).is_empty() {
                version.become_state(State::Retained);
            }
        }
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

/// Makes `version` current: `flip` moves all entries, and the record follows before anybody can
/// read it.
pub(crate) fn commit(mut version: Version, support: Vec<LoadedImage>, flip: impl FnOnce()) {
    let mut versions = Versions::lock();
    flip();
    for old in &mut versions.all {
        if old.state == State::Current {
            old.become_state(State::Draining);
        }
    }
    version.become_state(State::Current);
    versions.all.push(version);
    versions.support.extend(support);
    versions.notice_drained();
}

/// All versions, oldest first, as they are now.
pub(crate) fn statuses() -> Vec<VersionStatus> {
    let mut versions = Versions::lock();
    versions.notice_drained();
    versions.all.iter().map(Version::status).collect()
}
