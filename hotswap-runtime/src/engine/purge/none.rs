//! Stands for purging where threads can't be made to stand: old images stay.

use hotswap_protocol::purge::{Manner, PurgeReport};

/// Nothing is purged.
pub(crate) fn order(_: Manner) -> PurgeReport {
    PurgeReport::default()
}

/// Nothing follows.
pub(crate) fn after_swap() {}

/// Nothing happens by itself.
pub(crate) fn only_when_asked() {}

/// Nothing ever stands.
pub(crate) fn set_budget(_: std::time::Duration) {}
