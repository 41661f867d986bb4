//! Versions that were replaced, and patches that were not taken: what may leave memory, and what does.

use std::ops::Range;
use std::path::PathBuf;

use hotswap_protocol::lifecycle::State;
use hotswap_protocol::purge::{Holder, HolderKind, Kept};

use super::{Before, Refused, Version, Versions};
use crate::engine::hooks::Hooks;
use crate::engine::image::LoadedImage;
use crate::table;

/// Whose image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The image of this version.
    Version(u64),
    /// The image of a patch that was not taken, which was to have this number.
    Refused(u64),
}

/// An image that may be purged, if nothing refers to it.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) of: Of,
    pub(crate) path: PathBuf,
    pub(crate) range: Range<usize>,
    /// Parts of it that only the system's loader refers to, from its start.
    pub(crate) of_loader: Vec<Range<u32>>,
    /// Where the loader keeps its record of it.
    pub(crate) record: Range<usize>,
    /// What the record of versions knows of that keeps it.
    pub(crate) holders: Vec<Holder>,
    pub(crate) attempts: u64,
}

/// The images of versions that were replaced.
pub(crate) fn candidates() -> Vec<Candidate> {
    let mut versions = Versions::lock();
    versions.notice_drained();
    let all = versions.all.iter();
    let all = all.filter_map(|version| versions.candidate(version));
    let refused = versions.refused.iter().map(|refused| {
        let of = Of::Refused(refused.number);
        Candidate::new(of, &refused.image, Vec::new(), 0)
    });
    all.chain(refused).collect()
}

impl Candidate {
    fn new(of: Of, image: &LoadedImage, mut holders: Vec<Holder>, attempts: u64) -> Self {
        if image.dynamic.runs_at_end {
            let why = "the image has code that runs when it is unloaded";
            holders.push(Holder::new(HolderKind::Loader, why));
        }
        if image.is_shared {
            holders.push(Holder::new(HolderKind::Shared, "later versions"));
        }
        Self {
            of,
            path: image.path.clone(),
            of_loader: image.loaded.layout.of_loader(&image.dynamic),
            record: image.record(),
            range: image.range(),
            holders,
            attempts,
        }
    }
}

impl Versions {
    fn candidate(&self, version: &Version) -> Option<Candidate> {
        if !matches!(version.state, State::Draining | State::Retained) {
            return None;
        }
        let image = version.image.as_ref()?;
        let range = image.range();
        let calls = table::in_flight(version.number)
            .into_iter()
            .map(|(entry, calls)| {
                let mut holder = Holder::new(HolderKind::Calls, entry);
                holder.words = calls;
                holder
            });
        let mut holders: Vec<Holder> = calls.collect();
        for other in &self.all {
            if let Before::Way(way) = &other.before
                && (way.to == version.number || way.bodies.any_in(&range))
            {
                let name = format!("version {}", other.number);
                holders.push(Holder::new(HolderKind::WayBack, name));
            }
        }
        let attempts = version.kept.as_ref().map_or(0, |kept| kept.attempts);
        let of = Of::Version(version.number);
        Some(Candidate::new(of, image, holders, attempts))
    }
}

/// The versions whose image is in memory though other code took their place.
pub(crate) fn replaced() -> Vec<u64> {
    let mut versions = Versions::lock();
    versions.notice_drained();
    let current = versions.code_of_current();
    let is_replaced = |it: &&Version| {
        matches!(it.state, State::Draining | State::Retained)
            && it.image.is_some()
            && it.number != current
    };
    let replaced = versions.all.iter().filter(is_replaced);
    replaced.map(|version| version.number).collect()
}

/// Notes what keeps a version's image.
pub(crate) fn is_kept(number: u64, kept: Kept) {
    if let Some(version) = Versions::lock().find_mut(number) {
        version.kept = Some(kept);
    }
}

/// Takes an image that is no candidate for anything any more. The caller has proof that nothing refers to
/// it.
pub(crate) fn take_image(of: Of, range: &Range<usize>) -> Option<LoadedImage> {
    let mut versions = Versions::lock();
    match of {
        Of::Version(number) => {
            let version = versions.find_mut(number)?;
            version.cells = None;
            version.hooks = None;
            version.image.take()
        }
        Of::Refused(_) => {
            let mut refused = versions.refused.iter();
            let at = refused.position(|refused| refused.image.range() == *range)?;
            Some(versions.refused.remove(at).image)
        }
    }
}

/// Notes that a version's image is out of memory.
pub(crate) fn is_purged(number: u64) {
    if let Some(version) = Versions::lock().find_mut(number) {
        version.kept = None;
        // Its last call may have ended after it was looked whether there is none.
        if version.state == State::Draining {
            version.become_state(State::Retained);
        }
        version.become_state(State::Purged);
    }
}

/// Gives up all ways back. Gives the versions to which they led.
pub(crate) fn give_up_ways() -> Vec<u64> {
    let mut versions = Versions::lock();
    let mut given_up = Vec::new();
    for version in &mut versions.all {
        if let Before::Way(way) = &version.before {
            given_up.push(way.to);
            version.before = Before::Dropped;
        }
    }
    given_up
}

/// The versions to which ways lead back.
pub(crate) fn ways() -> Vec<u64> {
    let versions = Versions::lock();
    let ways = versions
        .all
        .iter()
        .filter_map(|version| match &version.before {
            Before::Way(way) => Some(way.to),
            _ => None,
        });
    ways.collect()
}

/// Those of a version that let go of what keeps it, once.
pub(crate) fn hooks_to_let_go(of: Of) -> Hooks {
    let mut versions = Versions::lock();
    let version = match of {
        Of::Version(number) => versions.find_mut(number),
        Of::Refused(_) => None,
    };
    let version = version.filter(|version| !version.has_let_go);
    version.map_or_else(Hooks::default, |version| {
        version.has_let_go = true;
        version.hooks.clone().unwrap_or_default()
    })
}

/// Keeps what a patch has brought that was not taken and whose code has run, until it is proven that
/// nothing refers to it. Its support stays, as it would have otherwise.
pub(crate) fn is_refused(version: Option<Version>, support: Vec<LoadedImage>) {
    let mut versions = Versions::lock();
    versions.support.extend(support);
    let refused = version.and_then(|version| {
        let (number, image) = (version.number, version.image?);
        Some(Refused { number, image })
    });
    versions.refused.extend(refused);
}
