//! A connection to a program, past the tool.

use std::env;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context, Result};
use hotswap_protocol::event::Event;
use hotswap_protocol::message::{Request, Response};
use hotswap_protocol::{address, frame};
use rustix::process::getuid;

/// A connection to a program, past the tool.
#[derive(Debug)]
pub struct Wire(pub UnixStream);

impl Wire {
    /// Connects without a word.
    ///
    /// # Errors
    ///
    /// When the program does not listen.
    pub fn open(pid: u32) -> Result<Self> {
        let stream = sockets(pid).find_map(|path| UnixStream::connect(path).ok());
        Ok(Self(stream.context("the program does not listen")?))
    }

    /// The file of a program's socket, which is there until somebody looks for programs after that one was killed.
    #[must_use]
    pub fn socket(pid: u32) -> Option<PathBuf> {
        sockets(pid).find(|path| path.exists())
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    ///
    /// When the program leaves the conversation.
    pub fn ask(&mut self, request: &Request) -> Result<Response> {
        frame::write(&mut self.0, request)?;
        Ok(frame::read(&mut self.0)?)
    }

    /// Greets with this number of the protocol.
    ///
    /// # Errors
    ///
    /// When the program leaves the conversation.
    pub fn greet(&mut self, protocol: u32) -> Result<Response> {
        let tool = "a test".to_owned();
        self.ask(&Request::Hello { protocol, tool })
    }

    /// The next event, once they were asked for.
    ///
    /// # Errors
    ///
    /// When the program leaves the conversation.
    pub fn event(&mut self) -> Result<Event> {
        Ok(frame::read(&mut self.0)?)
    }
}

/// Where a program can have its socket.
fn sockets(pid: u32) -> impl Iterator<Item = PathBuf> {
    let runtime = env::var_os(address::RUNTIME_DIR_VARIABLE);
    let folders = address::socket_directories(runtime.as_deref(), getuid().as_raw());
    let name = address::socket_name(pid);
    folders.into_iter().map(move |folder| folder.join(&name))
}
