//! What a running program is told to do that needs no patch.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hotswap_protocol::frame;
use hotswap_protocol::message::{Request, Response};
use hotswap_protocol::patch::order::{PatchOrder, PatchReport};
use hotswap_protocol::purge::{Manner, PurgeReport};
use hotswap_protocol::servers::{ServerOrder, ServersReport};

use super::{ANSWER_TIMEOUT, Connection, declined, unexpected};

/// How long a program may take to look through its memory for every old version.
const PURGE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a program may take for a patch: it waits for its turn, and may migrate state.
const PATCH_TIMEOUT: Duration = Duration::from_secs(150);

impl Connection {
    /// Drops the prepared patch.
    ///
    /// # Errors
    ///
    /// The runtime is gone.
    pub fn abort(&mut self) -> Result<()> {
        match self.ask(&Request::Abort {})? {
            Response::Aborted {} => Ok(()),
            other => bail!(unexpected(&other)),
        }
    }

    /// Has the program take old versions out of memory.
    ///
    /// # Errors
    ///
    /// The runtime is gone, or older than this.
    pub fn purge(&mut self, manner: Manner) -> Result<PurgeReport> {
        self.stream.set_read_timeout(Some(PURGE_TIMEOUT))?;
        match self.ask(&Request::Purge { manner })? {
            Response::Purged(report) => Ok(report),
            other => bail!(unexpected(&other)),
        }
    }

    /// Has the program do something with patch files; `file` is what follows an order to apply one.
    ///
    /// # Errors
    ///
    /// The program declined and is as it was, or its runtime is gone.
    pub fn patch(&mut self, order: PatchOrder, file: &[u8]) -> Result<PatchReport> {
        self.stream.set_read_timeout(Some(PATCH_TIMEOUT))?;
        self.stream.set_write_timeout(Some(PATCH_TIMEOUT))?;
        frame::write(&mut self.stream, &Request::Patch { order })
            .context("the program does not take requests")?;
        // One that refuses early says why, and does not read on.
        let sent = self.stream.write_all(file);
        match frame::read(&mut self.stream) {
            Ok(Response::Patched(report)) => Ok(*report),
            Ok(other) => Err(declined(other)),
            Err(error) => {
                sent.context("the program does not take the patch")?;
                Err(error).context("the program did not answer")
            }
        }
    }

    /// Has the program tell of servers, hold them back or let them go on.
    ///
    /// # Errors
    ///
    /// The program declined, or its runtime is gone.
    pub fn servers(&mut self, order: ServerOrder) -> Result<ServersReport> {
        let patience = match &order {
            ServerOrder::Suspend { limit_ms, .. } | ServerOrder::State { limit_ms, .. } => {
                Duration::from_millis(*limit_ms)
            }
            _ => Duration::ZERO,
        };
        self.stream
            .set_read_timeout(Some(patience + ANSWER_TIMEOUT))?;
        match self.ask(&Request::Servers { order })? {
            Response::Servers(report) => Ok(report),
            other => Err(declined(other)),
        }
    }
}
