//! A verb's side of the conversation with a tool.

use std::io::{BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hotswap_protocol::frame;

use super::message::{Hello, Outcome, PROTOCOL, Request, Response, Verb};
use super::place::Peer;
use crate::status::RunStatus;

/// How long a tool may take to answer what it knows. Its threads for this do nothing else, so only
/// one that is stopped takes longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens: the socket is what a killed process left.
    #[error("nobody listens")]
    LeftOver,
    /// Somebody does, and does not answer.
    #[error("it does not answer: {0}")]
    Silent(String),
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

/// Connects to a socket in a private folder, and checks who answers.
///
/// # Errors
///
/// Nobody listens, or it is another user.
pub fn connect(path: &Path) -> Result<UnixStream, ConnectError> {
    connect_to(path, Peer::is_own, "it belongs to another user")
}

/// Connects to a socket of this process, whoever's the folder is.
///
/// # Errors
///
/// Nobody listens, or it is another process.
pub fn connect_to_process(path: &Path, pid: u32) -> Result<UnixStream, ConnectError> {
    connect_to(
        path,
        |peer| peer.pid == Some(pid),
        "another process answers",
    )
}

fn connect_to(
    path: &Path,
    is_right: impl FnOnce(Peer) -> bool,
    otherwise: &str,
) -> Result<UnixStream, ConnectError> {
    let silent = |error: std::io::Error| ConnectError::Silent(error.to_string());
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => ConnectError::LeftOver,
        _ => silent(error),
    })?;
    if !Peer::of(&stream).is_some_and(is_right) {
        return Err(ConnectError::Refused(otherwise.to_owned()));
    }
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(silent)?;
    Ok(stream)
}

/// A conversation with a tool.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    /// What the tool said of itself.
    pub hello: Hello,
}

impl Client {
    /// Connects to a tool's socket.
    ///
    /// # Errors
    ///
    /// Nobody answers there, or in another protocol.
    pub fn open(path: &Path) -> Result<Self, ConnectError> {
        let mut stream = connect(path)?;
        let hello = Request::Hello {
            protocol: PROTOCOL,
            client: format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION")),
        };
        let answer = ask(&mut stream, &hello);
        match answer.map_err(|error| ConnectError::Silent(format!("{error:#}")))? {
            Response::Hello(hello) if hello.protocol == PROTOCOL => Ok(Self { stream, hello }),
            Response::Hello(hello) => Err(ConnectError::Refused(format!(
                "it speaks protocol {}, this verb protocol {PROTOCOL}: use the cargo-hotswap \
                 that runs it, version {}",
                hello.protocol, hello.tool
            ))),
            Response::Error { message } => Err(ConnectError::Refused(message)),
            _ => Err(ConnectError::Refused("it gives no greeting".to_owned())),
        }
    }

    /// What the tool knows about its run.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn status(&mut self) -> Result<RunStatus> {
        match ask(&mut self.stream, &Request::Status {})? {
            Response::Status(status) => Ok(*status),
            other => bail!(unexpected(&other)),
        }
    }

    /// Has the tool do something, and waits until it is done, however long that takes.
    ///
    /// # Errors
    ///
    /// The tool ended without an answer.
    pub fn perform(mut self, verb: Verb) -> Result<Outcome> {
        self.stream.set_read_timeout(None)?;
        match ask(&mut self.stream, &Request::Do { verb })? {
            Response::Outcome(outcome) => Ok(outcome),
            other => bail!(unexpected(&other)),
        }
    }

    /// Calls `each` with every event from now on, until it returns false or the tool ends.
    ///
    /// # Errors
    ///
    /// The tool can't be asked.
    pub fn follow(
        mut self,
        mut each: impl FnMut(super::message::Line) -> Result<bool>,
    ) -> Result<()> {
        self.stream.set_read_timeout(None)?;
        frame::write(&mut self.stream, &Request::Follow {})?;
        let mut reader = BufReader::new(&self.stream);
        loop {
            match frame::read(&mut reader) {
                Ok(Response::Line(line)) => {
                    if !each(line)? {
                        return Ok(());
                    }
                }
                Ok(other) => bail!(unexpected(&other)),
                // The tool ended, or gave up a reader that was too slow.
                Err(frame::FrameError::Closed | frame::FrameError::Io(_)) => return Ok(()),
                Err(error) => return Err(error).context("the tool's events can't be read"),
            }
        }
    }
}

fn ask(stream: &mut UnixStream, request: &Request) -> Result<Response> {
    frame::write(stream, request).context("the tool does not take requests")?;
    frame::read(stream).context("the tool did not answer")
}

fn unexpected(response: &Response) -> String {
    match response {
        Response::Error { message } => message.clone(),
        other => format!("the tool gave an unexpected answer: {other:?}"),
    }
}
