//! What the program does by itself, heard over a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use hotswap_protocol::event::{Event, Reverted};
use hotswap_protocol::frame::{self, FrameError};
use hotswap_protocol::message::{Request, Response};

use super::{Connection, unexpected};

/// Reverts that were heard of, and are not taken note of yet, the oldest first.
pub type OwnReverts = Arc<Mutex<Vec<Reverted>>>;

/// Takes them.
pub fn take(reverts: &OwnReverts) -> Vec<Reverted> {
    std::mem::take(&mut *reverts.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Has the program with this process id tell what happens, on a thread of its own, until it ends or
/// `tell` says that nobody listens any more.
///
/// # Errors
///
/// The program does not answer, or not as it should.
pub fn listen(
    pid: u32,
    reverts: OwnReverts,
    tell: impl Fn(Event) -> bool + Send + 'static,
) -> Result<()> {
    let mut connection = Connection::open(pid)?;
    match connection.ask(&Request::Events {})? {
        Response::Subscribed {} => {}
        other => bail!(unexpected(&other)),
    }
    let mut stream = connection.stream;
    stream.set_read_timeout(None)?;
    std::thread::spawn(move || {
        loop {
            let event = match frame::read(&mut stream) {
                Ok(event) => event,
                // A newer program may tell more.
                Err(FrameError::Malformed(_)) => continue,
                Err(_) => return,
            };
            // First of all, so that the next edit knows of it.
            if let Event::Reverted(reverted) = &event {
                let mut reverts = reverts.lock().unwrap_or_else(PoisonError::into_inner);
                reverts.push(reverted.clone());
            }
            if !tell(event) {
                return;
            }
        }
    });
    Ok(())
}
