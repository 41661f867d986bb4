//! Servers that are held back only as long as the client is there who asked for it.

use hotswap_protocol::message::Response;
use hotswap_protocol::servers::ServerOrder;

use super::{Engine, Failure, Session};

/// What a client holds back. Dropping it lets all of them go on.
pub(super) struct Held<'a, E: Engine> {
    engine: &'a E,
    /// By name; none stands for all servers at once.
    servers: Vec<Option<String>>,
}

impl<'a, E: Engine> Held<'a, E> {
    pub(super) fn new(engine: &'a E) -> Self {
        let servers = Vec::new();
        Self { engine, servers }
    }
}

impl<E: Engine> Drop for Held<'_, E> {
    fn drop(&mut self) {
        for server in self.servers.drain(..) {
            // A server that has ended meanwhile is held back no more.
            let _ = self.engine.servers(&ServerOrder::Resume { server });
        }
    }
}

impl<E: Engine> Session<'_, E> {
    /// Does with servers what is ordered.
    pub(super) fn servers(&mut self, order: &ServerOrder) -> Result<Response, Failure> {
        let report = self.service.engine.servers(order)?;
        let held = &mut self.held.servers;
        match order {
            ServerOrder::Suspend {
                server,
                only_while_connected: true,
                ..
            } => held.push(server.clone()),
            ServerOrder::Resume { server } => held.retain(|one| one != server),
            _ => {}
        }
        Ok(Response::Servers(report))
    }
}
