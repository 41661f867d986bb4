//! Why a server ended, and what can go wrong when one is asked.

use std::io;
use std::time::Duration;

/// Why a server ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// [`Handle::stop`](crate::server::Handle::stop) was called.
    #[error("it was told to stop")]
    Stopped,
    /// The server said that it has finished.
    #[error("it has finished")]
    Finished,
    /// The server said that it has failed, and why.
    #[error("it has failed: {0}")]
    Failed(String),
    /// A handler panicked with this message.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// Its handler ran code of an old version, which was to [leave memory](crate::purge) at once.
    #[error("its handler was ended, for its code was to leave memory")]
    Killed,
    /// `init` returned this error, or panicked with this message.
    #[error("it could not be started: {0}")]
    NotStarted(String),
    /// It had ended before it was asked for.
    #[error("it had ended before")]
    Gone,
    /// What ran it, such as a runtime for tasks, dropped it.
    #[error("what ran it has ended")]
    Abandoned,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such server any more.
    #[error("the server has ended")]
    Gone,
    /// It ended before it replied.
    #[error("the server ended before it replied: {0}")]
    Ended(Reason),
    /// The handler panicked with this message, and the server goes on: the program goes back to the code
    /// before.
    #[error("the server panicked: {0}")]
    Panicked(String),
    /// It did not reply in time. A late reply is dropped.
    #[error("the server did not reply within {0:?}")]
    Timeout(Duration),
    /// A server called itself: it would wait for its own reply.
    #[error("a server can't call itself")]
    Itself,
    /// The types of messages have changed since the code that calls was compiled.
    #[error("{0}")]
    Stale(String),
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such server any more.
    #[error("the server has ended")]
    Gone,
    /// The type of the message has changed since the code that sends was compiled.
    #[error("{0}")]
    Stale(String),
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Gone => Self::Gone,
            SendError::Stale(reason) => Self::Stale(reason),
        }
    }
}

/// Why a server was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// Another server has the name.
    #[error("another server has the name `{0}`")]
    NameTaken(String),
    /// `init` returned an error, or panicked.
    #[error("the server could not be started: {0}")]
    Init(String),
    /// The system has no thread for it.
    #[error("no thread for the server: {0}")]
    Thread(io::Error),
    /// The types that it is started with have changed since the code that starts it was compiled.
    #[error("{0}")]
    Stale(String),
}

/// Why a server's state can't be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no such server any more.
    #[error("the server has ended")]
    Gone,
    /// It has not begun, or is about to be started again.
    #[error("the server has no state: it is being started")]
    Starting,
    /// It did not finish what it does in time.
    #[error("the server was busy for {0:?}")]
    Busy(Duration),
    /// Its type has no text for it.
    #[error("its type `{0}` shows nothing: derive `Debug` for it, or write `Server::show`")]
    Hidden(String),
    /// What makes the text of it panicked with this message.
    #[error("showing it panicked: {0}")]
    Panicked(String),
    /// A server asked for its own state in this way.
    #[error("a server can't wait for itself")]
    Itself,
    /// The type of the state has changed since the code that asks was compiled.
    #[error("{0}")]
    Stale(String),
}

/// Servers that did not finish what they do in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("busy for {limit:?}: {}", servers.join(", "))]
pub struct BusyError {
    /// How long they were waited for.
    pub limit: Duration,
    /// Each with its type and its name or number.
    pub servers: Vec<String>,
}
