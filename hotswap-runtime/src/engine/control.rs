//! One control connection: reads requests, answers each, and aborts what its client left open.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use hotswap_protocol::event::{Cause, Event};
use hotswap_protocol::frame::{self, FrameError};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{
    self, CommitReport, ErrorCode, Hello, PrepareReport, Request, Response,
};
use hotswap_protocol::patch::order::PatchReport;
use hotswap_protocol::purge::{Manner, PurgeReport};
use hotswap_protocol::saved::{RestoreReport, SaveReport};
use hotswap_protocol::servers::{ServerOrder, ServersReport};
use hotswap_protocol::state::Cell;
use hotswap_protocol::status::Status;

use crate::engine::events::{Subscribers, Subscription};
use crate::engine::patch;
use crate::engine::revert::{Done, Order};
use crate::inflight::unused;
use crate::on_swap::panic_message;
use crate::revert::RevertError;
use crate::sync::{AtomicU32, Ordering};

mod held;
mod patches;

use held::Held;

/// What requests act on.
pub(crate) trait Engine: Sync {
    /// A patch that is loaded. Dropping it undoes that.
    type Prepared;

    fn hello(&self) -> Hello;
    fn prepare(&self, manifest: &Manifest) -> Result<Offer<Self::Prepared>, Failure>;
    /// Makes a patch current, or leaves everything as it was.
    fn commit(&self, prepared: Self::Prepared) -> Result<CommitReport, Failure>;
    /// Goes back to the code before, or leaves everything as it was.
    fn revert(&self, order: &Order) -> Result<Done, RevertError>;
    /// Saves values for the program that takes the place of this one, whose cells these are.
    fn save(&self, cells: &[Cell]) -> Result<SaveReport, Failure>;
    /// Restores what was saved before, and tells what became of it.
    fn restore(&self) -> RestoreReport;
    /// Those who hear of what happens.
    fn subscribers(&self) -> &Subscribers;
    fn status(&self) -> Status;
    /// Takes old versions out of memory that nothing refers to.
    fn purge(&self, manner: Manner) -> PurgeReport;
    /// Does with servers what is ordered.
    fn servers(&self, order: &ServerOrder) -> Result<ServersReport, Failure>;
    /// Has fatal signals reported; the result is which.
    fn report_crashes(&self, std_handler: Option<u64>) -> Vec<i32>;
    /// Whether signed patch files are all that is taken.
    fn takes_signed_only(&self) -> bool {
        false
    }
    /// Does with patch files what this client asks for.
    fn patch(&self, order: patch::Order, who: patch::Who) -> Result<PatchReport, Failure> {
        patch::obey(order, who)
    }
}

/// A patch that can be committed.
pub(crate) struct Offer<P> {
    pub(crate) prepared: P,
    pub(crate) version: u64,
    pub(crate) report: PrepareReport,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }
}

impl From<RevertError> for Failure {
    fn from(error: RevertError) -> Self {
        Self::new(error.code(), error)
    }
}

impl From<Failure> for Response {
    fn from(Failure { code, message }: Failure) -> Self {
        Self::Error { code, message }
    }
}

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the first byte of a message to its last, and for sending an answer.
    pub(crate) message: Duration,
    /// From one message to the next while a patch is prepared.
    pub(crate) transaction: Duration,
}

/// The limits of a real program.
pub(crate) const LIMITS: Limits = Limits {
    message: Duration::from_secs(10),
    transaction: Duration::from_secs(60),
};

/// What all connections share.
pub(crate) struct Service<E> {
    pub(crate) engine: E,
    limits: Limits,
    /// What is under way: nothing, [`CLIENT`] or [`PURGE`].
    open: AtomicU32,
}

impl<E: Engine> Service<E> {
    pub(crate) const fn new(engine: E, limits: Limits) -> Self {
        Self {
            engine,
            limits,
            open: AtomicU32::new(0),
        }
    }

    /// Serves a client until it leaves, breaks the rules or takes too long.
    pub(crate) fn serve(&self, stream: &UnixStream) {
        let mut session = Session {
            service: self,
            stream,
            greeted: false,
            open: None,
            held: Held::new(&self.engine),
        };
        if stream.set_write_timeout(Some(self.limits.message)).is_err() {
            return;
        }
        while self.exchange(stream, &mut session) {
            // While this waits for the next message, nothing of an image shall lie around.
            unused::clear();
        }
    }

    /// Waits for a message and answers it. False after the last one.
    #[inline(never)]
    fn exchange(&self, stream: &UnixStream, session: &mut Session<'_, E>) -> bool {
        let mut reader = TimedReader::new(stream, session.patience(), self.limits.message);
        let request = frame::read(&mut reader);
        // Nor shall what was left by reading lie, half written over, in the frames that now wait for a purge.
        unused::clear();
        let (answer, next) = match request {
            Ok(request) => session.answer(request),
            Err(error) => match refusal(&error) {
                Some(refusal) => refusal,
                None => return false,
            },
        };
        if next == Next::Close {
            // What is still open must be undone before the client hears of the end.
            session.open = None;
        }
        // Whoever hears that it is subscribed misses nothing from then on.
        let subscribed = (next == Next::Events).then(|| self.engine.subscribers().subscribe());
        if frame::write(&mut &*stream, &answer).is_err() || next == Next::Close {
            return false;
        }
        if let Some((subscription, events)) = subscribed {
            send_events(stream, subscription, events);
            return false;
        }
        true
    }

    /// Goes back on behalf of the program itself, when no client is in the middle of a swap any more.
    pub(crate) fn revert(&self, order: &Order) -> Result<Done, RevertError> {
        let _turn = self.wait_for_turn().ok_or(RevertError::Busy)?;
        self.engine.revert(order)
    }

    /// Does something when no client is in the middle of a swap any more.
    pub(crate) fn in_turn<T>(
        &self,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let turn = self.wait_for_turn();
        let _turn = turn.ok_or_else(|| Failure::new(ErrorCode::Busy, "a swap is under way"))?;
        act()
    }

    /// Waits until no client is in the middle of a swap, but not for ever.
    fn wait_for_turn(&self) -> Option<Turn<'_>> {
        let end = Instant::now() + self.limits.message;
        loop {
            let turn = self.begin();
            if turn.is_some() || Instant::now() >= end {
                return turn;
            }
            thread::sleep(LOOK);
        }
    }

    /// The right to have a transaction open. A purge is waited for.
    fn begin(&self) -> Option<Turn<'_>> {
        loop {
            match self.take(CLIENT) {
                Ok(turn) => return Some(turn),
                Err(PURGE) => thread::sleep(LOOK),
                Err(_) => return None,
            }
        }
    }

    /// The right to purge; none while a transaction is open.
    pub(crate) fn begin_purge(&self) -> Option<Turn<'_>> {
        self.take(PURGE).ok()
    }

    /// The turn for this purpose, or whose it is.
    fn take(&self, purpose: u32) -> Result<Turn<'_>, u32> {
        let free = self
            .open
            .compare_exchange(0, purpose, Ordering::Acquire, Ordering::Relaxed);
        free.map(|_| Turn { open: &self.open })
    }
}

/// How often one looks whether a client's swap is over.
const LOOK: Duration = Duration::from_millis(2);

/// Sends events until the client leaves or does not keep up.
fn send_events(stream: &UnixStream, subscription: Subscription<'_>, events: Receiver<Event>) {
    if stream.set_read_timeout(None).is_err() {
        return;
    }
    thread::scope(|scope| {
        let send = move || {
            let mut events = events.iter();
            events.all(|event| frame::write(&mut &*stream, &event).is_ok());
            // Wakes the other thread. It fails if the client has left.
            let _ = stream.shutdown(Shutdown::Both);
        };
        let builder = thread::Builder::new().name("hotswap-events".to_owned());
        if builder.spawn_scoped(scope, send).is_ok() {
            // Nothing more is asked here, so what comes is the end.
            let _ = io::copy(&mut &*stream, &mut io::sink());
        }
        drop(subscription);
    });
}

/// Somebody has a transaction open.
const CLIENT: u32 = 1;
/// Old images are looked at.
const PURGE: u32 = 2;

/// The right to have a transaction open.
pub(crate) struct Turn<'a> {
    open: &'a AtomicU32,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.open.store(0, Ordering::Release);
    }
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    /// Events, and no request any more.
    Events,
    Close,
}

/// What a client hears of a message that could not be read; None if it is gone.
fn refusal(error: &FrameError) -> Option<(Response, Next)> {
    let next = match error {
        FrameError::Malformed(_) => Next::Request,
        FrameError::Oversize { .. } => Next::Close,
        _ if error.is_timeout() => {
            let text = "no complete message in time; the connection is closed";
            return Some((
                Failure::new(ErrorCode::BadRequest, text).into(),
                Next::Close,
            ));
        }
        _ => return None,
    };
    Some((Failure::new(ErrorCode::BadRequest, error).into(), next))
}

/// One client's conversation.
struct Session<'a, E: Engine> {
    service: &'a Service<E>,
    stream: &'a UnixStream,
    greeted: bool,
    // The patch is dropped before the turn is given back. In a box, so that nothing of it stays here.
    open: Option<Box<Transaction<'a, E>>>,
    held: Held<'a, E>,
}

/// A patch that its client has prepared and not yet decided on.
struct Transaction<'a, E: Engine> {
    prepared: E::Prepared,
    version: u64,
    turn: Turn<'a>,
}

impl<'a, E: Engine> Session<'a, E> {
    /// How long to wait for the next message; None: for ever.
    fn patience(&self) -> Option<Duration> {
        let limits = &self.service.limits;
        if self.open.is_some() {
            Some(limits.transaction)
        } else if self.greeted {
            None
        } else {
            Some(limits.message)
        }
    }

    /// The answer to a request. A panic on the way is an answer too.
    fn answer(&mut self, request: Request) -> (Response, Next) {
        match catch_unwind(AssertUnwindSafe(|| self.dispatch(request))) {
            Ok(answer) => answer,
            Err(panic) => {
                let text = format!("a panic in the runtime: {}", panic_message(panic));
                (Failure::new(ErrorCode::Internal, text).into(), Next::Close)
            }
        }
    }

    fn dispatch(&mut self, request: Request) -> (Response, Next) {
        let outcome = match request {
            Request::Hello { protocol, tool: _ } => return self.greet(protocol),
            _ if !self.greeted => {
                let failure =
                    Failure::new(ErrorCode::BadRequest, "the first message must be hello");
                return (failure.into(), Next::Close);
            }
            Request::Patch { order } => return self.patch(order),
            _ if self.service.engine.takes_signed_only() && patches::is_of_tool(&request) => {
                Err(patches::signed_only())
            }
            Request::Prepare { manifest } => self.prepare(&manifest),
            Request::Commit {} => self.commit(),
            Request::Abort {} => {
                self.open = None;
                Ok(Response::Aborted {})
            }
            Request::Revert {} => self.revert(),
            Request::Events {} => {
                self.open = None;
                return (Response::Subscribed {}, Next::Events);
            }
            Request::Save { cells } => self.save(&cells),
            Request::Restore {} => Ok(Response::Restored(self.service.engine.restore())),
            Request::Status {} => Ok(Response::Status(self.service.engine.status())),
            Request::Purge { manner } => Ok(Response::Purged(self.service.engine.purge(manner))),
            Request::Servers { order } => self.servers(&order),
            Request::ReportCrashes {
                stack_overflow_handler: handler,
            } => Ok(Response::Reporting {
                signals: self.service.engine.report_crashes(handler),
            }),
            other => Err(Failure::new(
                ErrorCode::BadRequest,
                format!("unknown request {other:?}"),
            )),
        };
        (outcome.unwrap_or_else(Response::from), Next::Request)
    }

    fn greet(&mut self, protocol: u32) -> (Response, Next) {
        if let Err(mismatch) = message::check_protocol(protocol) {
            let failure = Failure::new(ErrorCode::ProtocolMismatch, mismatch);
            return (failure.into(), Next::Close);
        }
        self.greeted = true;
        (Response::Hello(self.service.engine.hello()), Next::Request)
    }

    fn prepare(&mut self, manifest: &Manifest) -> Result<Response, Failure> {
        // A client that prepares again has given up its first patch.
        self.open = None;
        let turn = self.service.begin().ok_or_else(|| {
            Failure::new(ErrorCode::Busy, "another client is in the middle of a swap")
        })?;
        let Offer {
            prepared,
            version,
            report,
        } = self.service.engine.prepare(manifest)?;
        self.open = Some(Box::new(Transaction {
            prepared,
            version,
            turn,
        }));
        Ok(Response::Prepared { version, report })
    }

    fn commit(&mut self) -> Result<Response, Failure> {
        let nothing = || Failure::new(ErrorCode::NothingPrepared, "no patch is prepared");
        let Transaction {
            prepared,
            version,
            turn,
        } = *self.open.take().ok_or_else(nothing)?;
        let committed = self.service.engine.commit(prepared);
        drop(turn);
        let report = committed?;
        Ok(Response::Committed { version, report })
    }

    /// No swap changes a cell meanwhile.
    fn save(&mut self, cells: &[Cell]) -> Result<Response, Failure> {
        self.open = None;
        let save = || self.service.engine.save(cells);
        self.service.in_turn(save).map(Response::Saved)
    }

    fn revert(&mut self) -> Result<Response, Failure> {
        self.open = None;
        let order = Order {
            cause: Cause::Request {},
            from: None,
        };
        let Done {
            version,
            to,
            report,
        } = self.service.revert(&order)?;
        Ok(Response::Reverted {
            version,
            to,
            report,
        })
    }
}

/// Reads from a stream, waiting one time for the first byte and another for all that follow it.
struct TimedReader<'a> {
    stream: &'a UnixStream,
    first: Option<Duration>,
    rest: Duration,
    deadline: Option<Instant>,
}

impl<'a> TimedReader<'a> {
    fn new(stream: &'a UnixStream, first: Option<Duration>, rest: Duration) -> Self {
        Self {
            stream,
            first,
            rest,
            deadline: None,
        }
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let wait = match self.deadline {
            None => self.first,
            Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
        };
        if wait.is_some_and(|wait| wait.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(wait)?;
        let bytes = self.stream.read(part)?;
        if self.deadline.is_none() {
            self.deadline = Some(Instant::now() + self.rest);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
