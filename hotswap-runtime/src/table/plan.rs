//! What is registered and prepared: bindings, identities, reports, errors.

use std::collections::HashSet;
use std::ops::Range;

use crate::entry::{DESCRIPTOR_FORMAT, Descriptor, FUTURE};
use crate::hidden::{self, Hidden};

/// An entry as the tool found it in the executable or in an image.
#[derive(Debug)]
pub(crate) struct EntryBinding {
    pub path: String,
    pub fingerprint: String,
    pub descriptor: &'static Descriptor,
    pub body: *const (),
}

// SAFETY: `body` is the address of code, and never read or written through.
unsafe impl Send for EntryBinding {}

/// Why entries were not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegisterError {
    #[error(
        "entry `{path}` is there twice: an entry cannot stand in a generic function or impl block, \
         and two with the same path cannot be told apart; make the generic code call an entry"
    )]
    Duplicate { path: String },
    #[error(
        "entry `{path}` has a descriptor of format {found}, this runtime reads {DESCRIPTOR_FORMAT}: \
         rebuild the program with one version of hotswap"
    )]
    Format { path: String, found: u16 },
    #[error("version {version} cannot follow version {current}")]
    Order { version: u64, current: u64 },
}

/// What two versions of an entry must agree on to share a slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) path: String,
    pub(super) fingerprint: String,
    pub(super) hidden: Option<u32>,
}

/// An entry whose identity is complete.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) identity: Identity,
    pub(super) descriptor: Hidden,
    pub(super) is_future: bool,
    pub(super) body: Hidden,
}

/// Checks the bindings, and asks each for the facts of its hidden type.
///
/// This runs code of the bindings' version, so it must not be called under the registry's lock.
pub(super) fn identify(mut entries: Vec<EntryBinding>) -> Result<Vec<Identified>, RegisterError> {
    let mut paths = HashSet::new();
    for EntryBinding {
        path, descriptor, ..
    } in &entries
    {
        let found = descriptor.format();
        if found != DESCRIPTOR_FORMAT {
            let path = path.clone();
            return Err(RegisterError::Format { path, found });
        }
        if !paths.insert(path) {
            let path = path.clone();
            return Err(RegisterError::Duplicate { path });
        }
    }
    let identified = entries.iter_mut().map(identified).collect();
    hidden::wipe(entries);
    Ok(identified)
}

fn identified(entry: &mut EntryBinding) -> Identified {
    Identified {
        identity: Identity {
            hidden: entry.descriptor.hidden(),
            path: std::mem::take(&mut entry.path),
            fingerprint: std::mem::take(&mut entry.fingerprint),
        },
        descriptor: Hidden::new(entry.descriptor),
        is_future: entry.descriptor.flags() & FUTURE != 0,
        body: Hidden::new(entry.body),
    }
}

impl Identified {
    pub(super) fn descriptor(&self) -> &'static Descriptor {
        // SAFETY: it was made from such a reference, and entries are dropped before their image.
        unsafe { &*self.descriptor.get() }
    }
}

/// What publishing a table will change, entry by entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableReport {
    /// Entries whose callers will run other code than now.
    pub replaced: Vec<String>,
    /// Entries that did not exist before.
    pub added: Vec<String>,
    /// Entries whose identity changed: callers compiled against the old one keep the old body.
    pub reshaped: Vec<String>,
    /// Entries that the newest code does not have; they keep the body they have now.
    pub carried: Vec<String>,
}

/// The bodies that stood in all slots at some time, from slot 1 on: the code that calls ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies(Vec<Hidden>);

impl Bodies {
    pub(super) fn of(bodies: impl Iterator<Item = *const ()>) -> Self {
        Self(bodies.map(Hidden::new).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = *const ()> {
        self.0.iter().map(|body| body.get())
    }

    /// Whether any of them lies there.
    pub(crate) fn any_in(&self, range: &Range<usize>) -> bool {
        self.iter().any(|body| range.contains(&body.addr()))
    }
}

/// A version's table before it is published. Dropping it undoes what was prepared.
#[derive(Debug)]
pub(crate) struct PreparedTable {
    pub(super) version: u64,
    pub(super) entries: Vec<Identified>,
    pub(super) gone: HashSet<String>,
    pub(super) report: TableReport,
}

impl PreparedTable {
    /// What publishing will change.
    pub(crate) fn report(&self) -> TableReport {
        self.report.clone()
    }
}

impl Drop for PreparedTable {
    fn drop(&mut self) {
        super::abandon(&self.entries);
    }
}
