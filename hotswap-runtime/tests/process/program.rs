//! The process under test as its tester sees it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hotswap_protocol::address::{RUNTIME_DIR_VARIABLE, socket_name};
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::frame;
use hotswap_protocol::message::{Hello, PROTOCOL, Request, Response};

use crate::ROLE;

/// A file in the folder of a process that shall be in a namespace of its own, in which no user has a number.
pub(crate) const NAMELESS: &str = "nameless";

/// Starts this executable again, as the tool would, with the ready pipe's number.
pub(crate) fn command(folder: &Path, ready: RawFd, before_exec: fn(&Path, u32)) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(ROLE, "1")
        .env(RUNTIME_DIR_VARIABLE, folder)
        .env("TEST_SOCKET", folder.join("own.sock"))
        .env("HOTSWAP_LISTEN", "tool")
        // What is in memory is counted here.
        .env("HOTSWAP_PURGE", "off")
        .env("HOTSWAP_NAME", "tested")
        .env("HOTSWAP_READY_FD", ready.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let inside = folder.to_owned();
    let nameless = folder.join(NAMELESS).exists();
    // SAFETY: the closure runs in the forked child; clearing a flag and leaving a namespace are async-signal-safe, and
    // what tests add only touches files.
    unsafe {
        command.pre_exec(move || {
            libc::fcntl(ready, libc::F_SETFD, 0);
            if nameless && libc::unshare(libc::CLONE_NEWUSER) != 0 {
                return Err(io::Error::last_os_error());
            }
            before_exec(&inside, std::process::id());
            Ok(())
        });
    }
    command
}

/// A started process and the pipes to it.
pub(crate) struct Program {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) folder: PathBuf,
    /// What came through the ready pipe.
    pub(crate) ready: String,
}

impl Program {
    pub(crate) fn start(test: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("hotswap-process-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self::start_in(folder, |_, _| ())
    }

    pub(crate) fn start_in(folder: PathBuf, before_exec: fn(&Path, u32)) -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut child = command(&folder, writer.as_raw_fd(), before_exec)
            .spawn()
            .unwrap();
        drop(writer);
        let mut ready = String::new();
        reader.read_to_string(&mut ready).unwrap();
        Self::new(child.stdin.take(), child, folder, ready)
    }

    pub(crate) fn new(
        input: Option<ChildStdin>,
        mut child: Child,
        folder: PathBuf,
        ready: String,
    ) -> Self {
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            input,
            output,
            folder,
            ready,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder
            .join("hotswap")
            .join(socket_name(self.child.id()))
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn order(&mut self, order: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        self.line()
    }

    pub(crate) fn connect(&self) -> (UnixStream, Hello) {
        let stream = UnixStream::connect(self.socket()).unwrap();
        let hello = Request::Hello {
            protocol: PROTOCOL,
            tool: "test".into(),
        };
        match ask(&stream, &hello) {
            Response::Hello(hello) => (stream, hello),
            other => panic!("{other:?}"),
        }
    }

    /// Lets the process end by itself, and expects success.
    pub(crate) fn end(&mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn ask(mut stream: &UnixStream, request: &Request) -> Response {
    frame::write(&mut stream, request).unwrap();
    frame::read(&mut stream).unwrap()
}

/// The executable's build id, if its linker gave it one.
pub(crate) fn build_id(program: &Program) -> Option<BuildId> {
    program.connect().1.build_id
}
