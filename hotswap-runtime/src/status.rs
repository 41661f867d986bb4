//! What the program can ask about itself.

pub use hotswap_protocol::lifecycle::State;
pub use hotswap_protocol::status::{EntryCalls, ImageStatus, Status, VersionStatus};

use crate::{engine, table};

/// The number of the current version: 0 is the program as first built, and each swap counts one up.
///
/// Always 0 without `cargo hotswap`.
///
/// # Examples
///
/// ```
/// assert_eq!(hotswap::version(), 0);
/// ```
#[must_use]
pub fn version() -> u64 {
    table::current_version()
}

/// The versions of this process and the calls under way in each.
///
/// # Examples
///
/// ```
/// let status = hotswap::status();
/// assert!(!status.listening);
/// for version in &status.versions {
///     println!("version {} is {}", version.number, version.state);
/// }
/// ```
#[must_use]
pub fn status() -> Status {
    let mut status = Status::new(version(), engine::is_listening());
    status.versions = engine::statuses();
    status
}
