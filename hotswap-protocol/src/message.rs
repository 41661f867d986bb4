//! The messages: what the tool asks and what the program answers, one answer to each request.
//!
//! A connection starts with `Hello` in both directions. Each variant is a JSON object with one key,
//! the variant's name, so that fields can be added to any of them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::build_id::BuildId;
use crate::manifest::Manifest;
use crate::patch::order::{PatchOrder, PatchReport};
use crate::purge::{Manner, PurgeReport};
use crate::saved::{RestoreReport, SaveReport};
use crate::servers::{ServerOrder, ServersReport};
use crate::state::Cell;
use crate::status::Status;

/// The number of this protocol. It is raised when a message changes its meaning or loses a field.
pub const PROTOCOL: u32 = 1;

/// What the tool asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// The first message of every connection. Answered by [`Response::Hello`].
    Hello {
        /// The sender's [`PROTOCOL`].
        protocol: u32,
        /// The sender's name and version, for messages to people.
        tool: String,
    },
    /// Check and load a patch without any visible effect. Answered by [`Response::Prepared`]. At
    /// most one patch is prepared at a time; the connection that prepared it holds it, and loses
    /// it when it closes.
    Prepare {
        /// The patch.
        manifest: Box<Manifest>,
    },
    /// Make the prepared patch current. Answered by [`Response::Committed`], or by an error after
    /// which all state is as it was and nothing is prepared any more.
    Commit {},
    /// Drop the prepared patch. Answered by [`Response::Aborted`], also when there was none.
    Abort {},
    /// Go back to the code before, with all state, by what the patches said about it. Answered by
    /// [`Response::Reverted`], or by an error after which all is as it was.
    Revert {},
    /// Put the values of all cells that can be saved into the file of
    /// [`SAVE_FD`](crate::env::SAVE_FD), for the program that takes the place of this one. Answered by
    /// [`Response::Saved`]. The program goes on.
    Save {
        /// The cells of the executable.
        cells: Vec<Cell>,
    },
    /// Restore now what the program has not used yet, of the values that it was started with, and tell
    /// what became of all of them. Answered by [`Response::Restored`].
    Restore {},
    /// Tell about versions and calls. Answered by [`Response::Status`].
    Status {},
    /// Take old versions out of memory that nothing refers to. Answered by [`Response::Purged`].
    Purge {
        /// How far to go.
        manner: Manner,
    },
    /// Tell about servers, hold them back or let them go on. Answered by [`Response::Servers`].
    Servers {
        /// What is to be done, and with which.
        order: ServerOrder,
    },
    /// Apply a patch file, go back from one, or tell which are applied. Answered by
    /// [`Response::Patched`]. The bytes of a file that is to be applied follow this frame as they are.
    Patch {
        /// What is to be done.
        order: PatchOrder,
    },
    /// Tell what happens from now on. Answered by [`Response::Subscribed`]; afterwards the program
    /// sends an [`Event`](crate::event::Event) in each frame, and takes no more requests on this
    /// connection. Whoever reads too slowly is cut off.
    Events {},
    /// From now on, write to the pipe of [`CRASH_FD`](crate::env::CRASH_FD) where a fatal signal
    /// met the program, before it takes its course. Answered by [`Response::Reporting`].
    ReportCrashes {
        /// The virtual address, in the executable, of the standard library's own handler for
        /// stack overflows: the runtime puts itself before that one and before none of the
        /// program's. None if the executable has no such handler.
        stack_overflow_handler: Option<u64>,
    },
}

/// What the program answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Response {
    /// Who is listening.
    Hello(Hello),
    /// The patch is loaded and can be committed.
    Prepared {
        /// The number the version will have.
        version: u64,
        /// What a commit will change.
        report: PrepareReport,
    },
    /// The patch is current.
    Committed {
        /// The number of the version.
        version: u64,
        /// What was done, and how long it took.
        report: CommitReport,
    },
    /// Older code is current again.
    Reverted {
        /// The number of the version that is current now.
        version: u64,
        /// The version whose code it has.
        to: u64,
        /// What was done, and how long it took.
        report: CommitReport,
    },
    /// Events follow.
    Subscribed {},
    /// Nothing is prepared any more.
    Aborted {},
    /// What could be saved is.
    Saved(SaveReport),
    /// What could be restored is.
    Restored(RestoreReport),
    /// Versions and calls.
    Status(Status),
    /// What was taken out of memory, and what keeps the rest.
    Purged(PurgeReport),
    /// The servers that were asked for.
    Servers(ServersReport),
    /// What was done with patch files, and which are applied.
    Patched(Box<PatchReport>),
    /// Fatal signals are reported.
    Reporting {
        /// Their numbers. Those that the program handles itself are left out.
        signals: Vec<i32>,
    },
    /// The request failed; the program is as it was before it. What was prepared is dropped by a
    /// failed `Prepare` or `Commit`, and kept by anything else.
    Error {
        /// What kind of failure.
        code: ErrorCode,
        /// The failure in words.
        message: String,
    },
}

/// The program's side of the greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's [`PROTOCOL`].
    pub protocol: u32,
    /// The version of the runtime crate.
    pub runtime: String,
    /// The process id, in the program's own pid namespace.
    pub pid: u32,
    /// The name under which the program can be addressed.
    pub name: String,
    /// The executable's build id. None if it was linked without one; nothing can be loaded then.
    pub build_id: Option<BuildId>,
    /// The executable's path as the program sees it.
    pub executable: PathBuf,
    /// The number of the current version.
    pub version: u64,
}

/// What a commit will change, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PrepareReport {
    /// Entries whose callers will run other code than now.
    pub replaced: Vec<String>,
    /// Entries that did not exist before.
    pub added: Vec<String>,
    /// Entries whose signature changed: callers compiled against the old one keep the old body.
    pub reshaped: Vec<String>,
    /// Entries that neither the image nor the host has; they keep the body they have now.
    pub carried: Vec<String>,
    /// Microseconds from the request to the end of all checks on the file.
    pub check_us: u64,
    /// Microseconds that mapping, relocating and building the table took.
    pub load_us: u64,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CommitReport {
    /// Microseconds that check and load took when the patch was prepared.
    pub load_us: u64,
    /// Microseconds from the request to the moment all entries ran the new version.
    pub flip_us: u64,
    /// Microseconds in which no code could use the cells that were migrated; 0 if none was.
    #[serde(default)]
    pub pause_us: u64,
    /// How many values got a new layout, elements of containers included.
    #[serde(default)]
    pub migrated: u64,
    /// Panics of `on_swap` callbacks, as text. The swap stands nevertheless.
    pub callback_failures: Vec<String>,
    /// Things the user should hear of.
    pub warnings: Vec<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The peer speaks another protocol number.
    ProtocolMismatch,
    /// The peer belongs to another user.
    NotAllowed,
    /// The message could not be read, or came at the wrong time.
    BadRequest,
    /// Another connection has a patch prepared.
    Busy,
    /// Commit without a prepared patch.
    NothingPrepared,
    /// The manifest contradicts itself or has an unknown format.
    BadManifest,
    /// The patch was made for another executable.
    WrongHost,
    /// The image could not be opened, or is not a private regular file.
    ImageUnreadable,
    /// The image is not the one the manifest describes.
    ImageMismatch,
    /// The image is no loadable ELF file for this machine.
    ImageInvalid,
    /// The system's loader refused the image.
    LoadFailed,
    /// The entries could not be registered.
    EntriesRefused,
    /// State can't be migrated as planned: a schema or a hook is missing or another one.
    StateRefused,
    /// State is in use and was not let go in time.
    StateBusy,
    /// A migration failed; all state is as it was.
    StateFailed,
    /// A function of the new code that runs when it is loaded has failed.
    OnLoadFailed,
    /// A version before the current one is in use, and nothing is to be loaded as long as it is.
    VersionInUse,
    /// There is nothing to go back to, or no way.
    RevertRefused,
    /// There is no place to save values in.
    SaveRefused,
    /// There is no such server.
    NoSuchServer,
    /// Servers did not finish what they do in time.
    ServerBusy,
    /// The server's state can't be shown.
    StateHidden,
    /// The program takes signed patch files only.
    SignedOnly,
    /// The program has no key to check signatures with.
    NoKey,
    /// The patch file has no signature.
    NotSigned,
    /// The patch file is signed with another key, or was changed afterwards.
    BadSignature,
    /// The patch file is not whole, or contradicts itself.
    PatchDamaged,
    /// The patch is for another build.
    WrongBase,
    /// Other patches are applied than this one is to lie on.
    WrongStack,
    /// The time in which the patch may be applied is over.
    PatchExpired,
    /// A patch with a higher number was applied already.
    PatchReplayed,
    /// Code of another patch, which was reverted, is still in memory.
    PatchInMemory,
    /// The patch is to go by itself, and nothing leads back from it.
    PatchStays,
    /// The patch to go back from is not the newest.
    NotApplied,
    /// What is done can't be written to the audit log, so it is not done.
    AuditFailed,
    /// The running system lacks something that loading needs.
    Unsupported,
    /// A fault in the runtime itself.
    Internal,
    /// A code that this side does not know.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The code as it stands in messages.
    #[must_use]
    pub fn name(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    }
}

/// The two sides speak different protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this side speaks protocol {ours}, the other protocol {theirs}: \
     build the program and install `cargo-hotswap` from the same version of hotswap"
)]
#[non_exhaustive]
pub struct ProtocolMismatch {
    /// The number of this side.
    pub ours: u32,
    /// The number of the peer.
    pub theirs: u32,
}

/// Whether a peer with the protocol number `theirs` can be talked to.
///
/// # Errors
///
/// The numbers differ.
pub fn check_protocol(theirs: u32) -> Result<(), ProtocolMismatch> {
    if theirs == PROTOCOL {
        Ok(())
    } else {
        Err(ProtocolMismatch {
            ours: PROTOCOL,
            theirs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Option<Request> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn requests_as_text() {
        let hello = Request::Hello {
            protocol: 1,
            tool: "t".into(),
        };
        let table = [
            (hello, r#"{"hello":{"protocol":1,"tool":"t"}}"#),
            (Request::Commit {}, r#"{"commit":{}}"#),
            (Request::Abort {}, r#"{"abort":{}}"#),
            (Request::Status {}, r#"{"status":{}}"#),
            (Request::Revert {}, r#"{"revert":{}}"#),
            (Request::Events {}, r#"{"events":{}}"#),
            (
                Request::Save { cells: Vec::new() },
                r#"{"save":{"cells":[]}}"#,
            ),
            (Request::Restore {}, r#"{"restore":{}}"#),
            (
                Request::Servers {
                    order: ServerOrder::List {},
                },
                r#"{"servers":{"order":{"list":{}}}}"#,
            ),
            (
                Request::Patch {
                    order: PatchOrder::List {},
                },
                r#"{"patch":{"order":{"list":{}}}}"#,
            ),
            (
                Request::ReportCrashes {
                    stack_overflow_handler: Some(7),
                },
                r#"{"report-crashes":{"stack_overflow_handler":7}}"#,
            ),
        ];
        for (value, text) in table {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(request(text), Some(value));
        }
    }

    #[test]
    fn responses_survive_the_wire() {
        let hello = Hello {
            protocol: PROTOCOL,
            runtime: "0.1.0".into(),
            pid: 7,
            name: "app".into(),
            build_id: None,
            executable: "/a b/ü".into(),
            version: 3,
        };
        let report = PrepareReport {
            replaced: vec!["a::b".into()],
            ..Default::default()
        };
        let error = Response::Error {
            code: ErrorCode::Busy,
            message: "m".into(),
        };
        for value in [
            Response::Hello(hello),
            Response::Prepared { version: 1, report },
            Response::Committed {
                version: 1,
                report: CommitReport::default(),
            },
            Response::Aborted {},
            Response::Reverted {
                version: 2,
                to: 0,
                report: CommitReport::default(),
            },
            Response::Subscribed {},
            Response::Saved(SaveReport::default()),
            Response::Restored(RestoreReport::default()),
            Response::Status(Status::new(2, true)),
            Response::Servers(ServersReport::default()),
            Response::Patched(Box::default()),
            Response::Reporting { signals: vec![11] },
            error,
        ] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(
                serde_json::from_str::<Response>(&text).unwrap(),
                value,
                "{text}"
            );
        }
    }

    #[test]
    fn a_newer_peer_is_understood() {
        let hello = r#"{"hello":{"protocol":1,"tool":"t","colour":"red"}}"#;
        assert!(request(hello).is_some());
        assert_eq!(
            request(r#"{"commit":{"ttl_ms":5}}"#),
            Some(Request::Commit {})
        );
        assert_eq!(request(r#"{"dance":{}}"#), None);
        let code: ErrorCode = serde_json::from_str(r#""on-fire""#).unwrap();
        assert_eq!(code, ErrorCode::Unknown);
        let report: PrepareReport = serde_json::from_str(r#"{"new":1}"#).unwrap();
        assert_eq!(report, PrepareReport::default());
    }

    #[test]
    fn another_protocol_is_named() {
        assert!(check_protocol(PROTOCOL).is_ok());
        let text = check_protocol(9).unwrap_err().to_string();
        assert!(
            text.starts_with("this side speaks protocol 1, the other protocol 9"),
            "{text}"
        );
    }
}
