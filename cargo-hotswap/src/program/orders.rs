//! What a running program is told to do that needs no patch.

use std::time::Duration;

use anyhow::{Result, bail};
use hotswap_protocol::message::{Request, Response};
use hotswap_protocol::purge::{Manner, PurgeReport};
use hotswap_protocol::servers::{ServerOrder, ServersReport};

use super::{ANSWER_TIMEOUT, Connection, declined, unexpected};

/// How long a program may take to look through its memory for every old version.
const PURGE_TIMEOUT: Duration = Duration::from_secs(60);

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
