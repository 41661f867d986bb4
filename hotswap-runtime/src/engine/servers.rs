//! Servers, as they are told what to do from outside the program.

use std::io::Write as _;
use std::time::Duration;

use hotswap_protocol::event::Event;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::servers::{ServerActivity, ServerOrder, ServerReport, ServersReport};

use crate::engine::control::Failure;
use crate::engine::{events, fork};
use crate::server::{
    Activity, AnyHandle, BusyError, ServerStatus, StateError, find, resume_all, servers,
    suspend_all,
};

/// Tells all that listen that a server is in a new version before others that it comes after; if nobody does,
/// whoever reads what the program writes.
pub(crate) fn out_of_order(server: String, behind: Vec<String>, waited: Duration) {
    let text = format!(
        "hotswap: server {server} is in a new version before {}, for which it waited {waited:?}\n",
        behind.join(", ")
    );
    let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    let event = Event::OutOfOrder {
        server,
        behind,
        waited_ms,
    };
    if !fork::undivided(|| events::tell(&event)) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Does what is ordered, and tells of the servers that it is about.
pub(crate) fn obey(order: &ServerOrder) -> Result<ServersReport, Failure> {
    let (about, state) = match order {
        ServerOrder::List {} => (None, None),
        ServerOrder::Suspend {
            server, limit_ms, ..
        } => {
            let limit = Duration::from_millis(*limit_ms);
            let server = server.as_deref().map(one).transpose()?;
            match server {
                Some(server) => server.suspend(limit),
                None => suspend_all(limit),
            }
            .map_err(busy)?;
            (server, None)
        }
        ServerOrder::Resume { server } => {
            let server = server.as_deref().map(one).transpose()?;
            match server {
                Some(server) => server.resume(),
                None => resume_all(),
            }
            (server, None)
        }
        ServerOrder::State { server, limit_ms } => {
            let server = one(server)?;
            let state = server.state(Duration::from_millis(*limit_ms));
            (Some(server), Some(state.map_err(hidden)?))
        }
        other => {
            let text = format!("unknown order {other:?}");
            return Err(Failure::new(ErrorCode::BadRequest, text));
        }
    };
    let told = match about {
        Some(server) => server.status().into_iter().collect(),
        None => servers(),
    };
    Ok(ServersReport {
        servers: told.into_iter().map(report).collect(),
        state,
    })
}

fn one(name: &str) -> Result<AnyHandle, Failure> {
    find(name).ok_or_else(|| {
        let text = format!("no server has the name or number `{name}`");
        Failure::new(ErrorCode::NoSuchServer, text)
    })
}

fn busy(error: BusyError) -> Failure {
    Failure::new(ErrorCode::ServerBusy, error)
}

fn hidden(error: StateError) -> Failure {
    let code = match error {
        StateError::Gone => ErrorCode::NoSuchServer,
        StateError::Busy(_) => ErrorCode::ServerBusy,
        _ => ErrorCode::StateHidden,
    };
    Failure::new(code, error)
}

fn report(status: ServerStatus) -> ServerReport {
    let (activity, busy) = match status.activity {
        Activity::Starting => (ServerActivity::Starting, None),
        Activity::Idle => (ServerActivity::Idle, None),
        Activity::Busy(since) => (ServerActivity::Busy, Some(since.elapsed())),
        Activity::Waiting => (ServerActivity::Waiting, None),
        Activity::Suspended => (ServerActivity::Suspended, None),
        Activity::Ending => (ServerActivity::Ending, None),
    };
    ServerReport {
        number: status.number,
        name: status.name,
        kind: status.kind,
        activity,
        busy_ms: busy.map(|busy| u64::try_from(busy.as_millis()).unwrap_or(u64::MAX)),
        waiting: status.waiting as u64,
        handled: status.handled,
        restarts: status.restarts,
        version: status.version,
    }
}
