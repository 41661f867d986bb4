//! The engine where code cannot be swapped: there is none.

use crate::listen::{Listen, ListenError};
use crate::restart::RestartError;
use hotswap_protocol::purge::{Manner, PurgeReport};

use crate::revert::RevertError;
use crate::status::VersionStatus;

/// Nothing listens.
pub(crate) fn is_listening() -> bool {
    false
}

/// No version is known.
pub(crate) fn statuses() -> Vec<VersionStatus> {
    Vec::new()
}

/// There is nothing to go back from.
pub(crate) fn revert() -> Result<u64, RevertError> {
    Err(RevertError::NoPatches)
}

/// Nobody could start it again.
pub(crate) fn restart() -> Result<(), RestartError> {
    Err(RestartError::NoTool)
}

/// No version ever came by a swap.
pub(crate) fn revert_after_panic(_version: u64, _entry: String) {}

/// There is no new version.
pub(crate) fn out_of_order(_: String, _: Vec<String>, _: std::time::Duration) {}

/// Nothing can be patched.
pub(crate) fn listen_to_patches(_: Listen) -> Result<(), ListenError> {
    Err(ListenError::Unsupported)
}

/// Nothing is there to be purged.
pub(crate) fn purge(_: Manner) -> PurgeReport {
    PurgeReport::default()
}

/// Nothing ever stands.
pub(crate) fn set_purge_budget(_: std::time::Duration) {}
