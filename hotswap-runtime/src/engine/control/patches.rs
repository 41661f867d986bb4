//! Requests about patch files: takes the bytes that follow, and what is refused of those that come without.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hotswap_protocol::message::{ErrorCode, Request, Response};
use hotswap_protocol::patch::container::MAX_BYTES;
use hotswap_protocol::patch::order::PatchOrder;

use super::{Engine, Failure, Next, Session, TimedReader};
use crate::engine::listen;
use crate::engine::patch::{Order, Who};

/// Whether only a tool that edits the program may ask for this.
pub(super) fn is_of_tool(request: &Request) -> bool {
    matches!(
        request,
        Request::Prepare { .. }
            | Request::Commit {}
            | Request::Abort {}
            | Request::Revert {}
            | Request::Save { .. }
            | Request::Restore {}
            | Request::ReportCrashes { .. }
    )
}

pub(super) fn signed_only() -> Failure {
    let text = "this program takes signed patch files only: use `cargo hotswap patch`";
    Failure::new(ErrorCode::SignedOnly, text)
}

impl<E: Engine> Session<'_, E> {
    /// Does what is asked for; after a file that did not come as a whole, the client can't be understood any
    /// more.
    pub(super) fn patch(&mut self, order: PatchOrder) -> (Response, Next) {
        self.open = None;
        let order = match order {
            PatchOrder::Apply {
                bytes,
                ttl_ms,
                dry_run,
            } => match receive(self.stream, bytes, self.service.limits.message) {
                Ok(file) => Order::Apply {
                    file,
                    ttl: ttl_ms.map(Duration::from_millis),
                    dry_run,
                },
                Err(failure) => return (failure.into(), Next::Close),
            },
            PatchOrder::Revert { digest } => Order::Revert { digest },
            PatchOrder::List {} => Order::List,
            other => {
                let text = format!("unknown order {other:?}");
                let failure = Failure::new(ErrorCode::BadRequest, text);
                return (failure.into(), Next::Request);
            }
        };
        let done = match listen::peer(self.stream) {
            Some(peer) => {
                let who = Who::Peer {
                    uid: peer.uid,
                    pid: peer.pid,
                };
                let service = self.service;
                match order {
                    Order::List => service.engine.patch(order, who),
                    order => service.in_turn(|| service.engine.patch(order, who)),
                }
            }
            None => Err(Failure::new(
                ErrorCode::NotAllowed,
                "the system does not tell who asks",
            )),
        };
        let answer = done.map_or_else(Response::from, |report| Response::Patched(Box::new(report)));
        (answer, Next::Request)
    }
}

/// The bytes of a file. Memory is taken as they come, not as they are announced.
fn receive(stream: &UnixStream, bytes: u64, time: Duration) -> Result<Vec<u8>, Failure> {
    let damaged = |text: String| Failure::new(ErrorCode::PatchDamaged, text);
    if bytes > MAX_BYTES {
        return Err(damaged(format!(
            "a patch file of {bytes} bytes: more than {MAX_BYTES} are not taken"
        )));
    }
    let mut file = Vec::new();
    let reader = TimedReader::new(stream, Some(time), time);
    let outcome = reader.take(bytes).read_to_end(&mut file);
    let received = file.len() as u64;
    match outcome {
        Ok(_) if received == bytes => Ok(file),
        Ok(_) => Err(damaged(format!(
            "the patch file ended after {received} of {bytes} bytes"
        ))),
        Err(error) => Err(damaged(format!(
            "the patch file came no further than {received} of {bytes} bytes: {error}"
        ))),
    }
}
