//! The tool's socket: takes verbs, answers what is known, and hands on what is to be done.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use hotswap_protocol::address;
use hotswap_protocol::frame::{self, FrameError};

use super::message::{Hello, Outcome, PROTOCOL, Request, Response, Verb};
use super::place::{self, Place};
use crate::session::journal::Journal;

/// Connections that are served at a time.
const PLACES: usize = 16;

/// How long a client may take for one message, and to take one.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the end of the tool waits for answers on their way.
const FAREWELL: Duration = Duration::from_secs(1);

/// The pause before another attempt to accept when the system is short of something.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// Something that a client asked for.
#[derive(Debug)]
pub struct Ask {
    /// What.
    pub verb: Verb,
    /// Takes the outcome. Dropped without one, the client hears that the run ended.
    pub reply: Sender<Outcome>,
}

/// Takes what clients ask for; says whether anybody is left to do it.
pub type TakeAsk = Arc<dyn Fn(Ask) -> bool + Send + Sync>;

/// A tool's socket, served from threads of its own until it is dropped.
#[derive(Debug)]
pub struct Server {
    // The file goes first, so that nobody finds a socket that nobody serves.
    _place: Place,
    answers: Arc<Answers>,
}

/// What all connections share.
struct Service {
    journal: Arc<Journal>,
    take: TakeAsk,
    answers: Arc<Answers>,
    connections: AtomicUsize,
}

/// Counts the clients that wait for an outcome.
#[derive(Debug, Default)]
struct Answers {
    owed: Mutex<usize>,
    given: Condvar,
}

/// A client that waits for an outcome, until it has been written.
struct Owed<'a>(&'a Answers);

impl Answers {
    fn owe(&self) -> Owed<'_> {
        *self.owed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Owed(self)
    }

    /// Waits until nobody is owed an answer, but not for ever.
    fn settle(&self) {
        let owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .given
            .wait_timeout_while(owed, FAREWELL, |owed| *owed > 0);
        drop(waited);
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        *self.0.owed.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.given.notify_all();
    }
}

impl Server {
    /// Listens beside the program's socket.
    ///
    /// # Errors
    ///
    /// There is no folder for sockets, or no thread.
    pub fn start(journal: Arc<Journal>, take: TakeAsk) -> Result<Self> {
        let name = address::tool_socket_name(std::process::id());
        let (place, listener) = Place::take(&name)?;
        let answers = Arc::<Answers>::default();
        let service = Arc::new(Service {
            journal,
            take,
            answers: Arc::clone(&answers),
            connections: AtomicUsize::new(0),
        });
        thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&listener, &service))?;
        Ok(Self {
            _place: place,
            answers,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.answers.settle();
    }
}

fn accept(listener: &UnixListener, service: &Arc<Service>) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => service.admit(stream),
            Err(_) => thread::sleep(SHORTAGE_PAUSE),
        }
    }
}

impl Service {
    /// Gives a new connection a thread, or the reason why not.
    fn admit(self: &Arc<Self>, stream: UnixStream) {
        let timeouts = stream.set_write_timeout(Some(SHORTAGE_PAUSE));
        if timeouts.is_err() {
            return;
        }
        let refuse = |message: &str| {
            let message = message.to_owned();
            let _ = frame::write(&mut &stream, &Response::Error { message });
        };
        if !place::Peer::of(&stream).is_some_and(place::Peer::is_own) {
            return refuse("this tool belongs to another user");
        }
        if self.connections.fetch_add(1, Ordering::AcqRel) >= PLACES {
            self.connections.fetch_sub(1, Ordering::AcqRel);
            return refuse("too many connections");
        }
        let service = Arc::clone(self);
        let serve = move || {
            // Whatever ended it, the client sees its connection closed.
            let _ = service.serve(&stream);
            service.connections.fetch_sub(1, Ordering::AcqRel);
        };
        let spawned = thread::Builder::new()
            .name("control-client".to_owned())
            .spawn(serve);
        if spawned.is_err() {
            self.connections.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Serves a client until it leaves, breaks the rules or takes too long.
    fn serve(&self, stream: &UnixStream) -> Result<(), FrameError> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut greeted = false;
        loop {
            let mut reader = TimedReader::new(stream, !greeted);
            let request = match frame::read(&mut reader) {
                Err(FrameError::Malformed(error)) => {
                    let message = format!("this tool does not know the request: {error}");
                    frame::write(&mut &*stream, &Response::Error { message })?;
                    continue;
                }
                request => request?,
            };
            let answer = match request {
                Request::Hello { protocol, .. } if protocol == PROTOCOL => {
                    greeted = true;
                    Response::Hello(self.hello())
                }
                Request::Hello { protocol, .. } => Response::Error {
                    message: format!(
                        "this tool speaks protocol {PROTOCOL}, not {protocol}: use the \
                         cargo-hotswap that runs it, version {}",
                        env!("CARGO_PKG_VERSION")
                    ),
                },
                _ if !greeted => Response::Error {
                    message: "the first message must be hello".to_owned(),
                },
                Request::Status {} => Response::Status(Box::new(self.journal.status())),
                Request::Follow {} => return self.follow(stream),
                Request::Do { verb } => {
                    self.perform(stream, verb)?;
                    continue;
                }
            };
            let refused = matches!(answer, Response::Error { .. });
            frame::write(&mut &*stream, &answer)?;
            if refused {
                return Ok(());
            }
        }
    }

    fn hello(&self) -> Hello {
        let status = self.journal.status_without_swaps();
        let running = status.starts.last().filter(|start| start.end.is_none());
        Hello {
            protocol: PROTOCOL,
            tool: status.tool_version,
            pid: status.tool_pid,
            program: running.map(|start| start.pid),
            name: status.name,
            executable: status.executable,
            workspace: status.workspace,
        }
    }

    /// Has the session do something, and passes its answer on.
    fn perform(&self, stream: &UnixStream, verb: Verb) -> Result<(), FrameError> {
        let _owed = self.answers.owe();
        let (reply, outcome) = channel();
        let taken = (self.take)(Ask { verb, reply });
        let outcome = if taken { outcome.recv().ok() } else { None };
        let outcome = outcome.unwrap_or_else(|| Outcome::failed("the run of the tool ended"));
        frame::write(&mut &*stream, &Response::Outcome(outcome))
    }

    /// Passes events on until the client leaves. This thread waits for that; another one writes,
    /// from a queue that drops a reader who is too slow.
    fn follow(&self, mut stream: &UnixStream) -> Result<(), FrameError> {
        let (follower, lines) = self.journal.follow();
        thread::scope(|scope| {
            scope.spawn(|| {
                for line in lines {
                    if frame::write(&mut &*stream, &Response::Line(line)).is_err() {
                        break;
                    }
                }
                // Ends the wait below, if it was not the client that ended this.
                let _ = stream.shutdown(std::net::Shutdown::Both);
            });
            let waited = stream.set_read_timeout(None);
            if waited.is_ok() {
                let _ = io::copy(&mut stream, &mut io::sink());
            }
            self.journal.unfollow(follower);
        });
        Ok(())
    }
}

/// Reads from a stream, with a time for all bytes of a message together. Only a client that has
/// greeted may take as long as it likes for the first.
struct TimedReader<'a> {
    stream: &'a UnixStream,
    deadline: Option<Instant>,
}

impl<'a> TimedReader<'a> {
    fn new(stream: &'a UnixStream, at_once: bool) -> Self {
        Self {
            stream,
            deadline: at_once.then(|| Instant::now() + PATIENCE),
        }
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(left)?;
        let bytes = self.stream.read(part)?;
        self.deadline.get_or_insert(Instant::now() + PATIENCE);
        Ok(bytes)
    }
}
