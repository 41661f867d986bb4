//! This process as the engine behind control connections.

use std::path::PathBuf;

use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{CommitReport, ErrorCode, Hello, PROTOCOL};
use hotswap_protocol::purge::{Manner, PurgeReport};
use hotswap_protocol::saved::{RestoreReport, SaveReport};
use hotswap_protocol::servers::{ServerOrder, ServersReport};
use hotswap_protocol::state::Cell;
use hotswap_protocol::status::Status;

use crate::engine::control::{Engine, Failure, Offer};
use crate::engine::crash;
use crate::engine::events::{self, Subscribers};
use crate::engine::fork;
use crate::engine::handover;
use crate::engine::loaded;
use crate::engine::patch;
use crate::engine::purge;
use crate::engine::revert::{self, Done, Order};
use crate::engine::servers;
use crate::engine::swap::{self, Prepared};
use crate::revert::RevertError;
use crate::status;

/// The running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    executable: PathBuf,
    takes_signed_only: bool,
}

impl Process {
    /// The running program; `name` is what it is addressed by, else its file name is. It takes what a tool
    /// of its user's sends, or signed patch files only.
    pub(crate) fn new(name: Option<String>, takes_signed_only: bool) -> Self {
        let executable = std::env::current_exe().unwrap_or_default();
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            executable
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        });
        Self {
            name,
            executable,
            takes_signed_only,
        }
    }
}

impl Engine for Process {
    type Prepared = Prepared;

    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            runtime: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            name: self.name.clone(),
            build_id: loaded::executable().and_then(|file| file.build_id.clone()),
            // A path that is no UTF-8 could not be sent.
            executable: self.executable.to_string_lossy().into_owned().into(),
            version: status::version(),
        }
    }

    fn prepare(&self, manifest: &Manifest) -> Result<Offer<Prepared>, Failure> {
        let prepared = swap::prepare(manifest).map_err(|error| {
            if error.code() == ErrorCode::OnLoadFailed {
                // Its code has run, so it is still in memory.
                purge::after_swap();
            }
            Failure::new(error.code(), &error)
        })?;
        let (version, report) = (prepared.version(), prepared.report().clone());
        Ok(Offer {
            prepared,
            version,
            report,
        })
    }

    fn commit(&self, prepared: Prepared) -> Result<CommitReport, Failure> {
        let done = prepared.commit();
        purge::after_swap();
        done.map_err(patch::aborted)
    }

    fn revert(&self, order: &Order) -> Result<Done, RevertError> {
        let done = revert::execute(order);
        purge::after_swap();
        done
    }

    fn save(&self, cells: &[Cell]) -> Result<SaveReport, Failure> {
        handover::save(cells)
    }

    fn restore(&self) -> RestoreReport {
        handover::finish_restoring()
    }

    fn takes_signed_only(&self) -> bool {
        self.takes_signed_only
    }

    fn subscribers(&self) -> &Subscribers {
        &events::ALL
    }

    fn status(&self) -> Status {
        fork::undivided(status::status)
    }

    fn purge(&self, manner: Manner) -> PurgeReport {
        // Whoever wants memory back does not mean that a patch shall stay when its time is over.
        let keeps_way = manner == Manner::Full && patch::any_for_a_time();
        purge::order(if keeps_way { Manner::Soft } else { manner })
    }

    fn servers(&self, order: &ServerOrder) -> Result<ServersReport, Failure> {
        servers::obey(order)
    }

    fn report_crashes(&self, std_handler: Option<u64>) -> Vec<i32> {
        crash::report(std_handler)
    }
}
