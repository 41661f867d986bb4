//! A real process under the tool's variables: it starts, listens, swaps, forks and ends.
//!
//! The process is this test's own executable, started again with a word that tells it what to do.

#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hotswap::__private::v0_1_0::{Arg, Descriptor, Tracked, call0};
use hotswap_protocol::address::{RUNTIME_DIR_VARIABLE, socket_name, socket_pid};
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::checksum::checksum;
use hotswap_protocol::frame;
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::manifest::{Entry, Image, Manifest};
use hotswap_protocol::message::{ErrorCode, Hello, PROTOCOL, Request, Response};

#[cfg(target_arch = "x86_64")]
#[path = "../src/engine/elf/sample.rs"]
mod sample;

/// The entry of the process under test: it returns a number, 1 in the executable itself.
static ENTRY: Descriptor = Descriptor::new("entry", "fn() -> u32", 0, None);

/// The body of the entry in the executable.
fn body() -> Arg<u32> {
    Arg([1])
}

/// The variable that tells the started process that it is one.
const ROLE: &str = "TEST_ROLE";

fn main() {
    if std::env::var_os(ROLE).is_some() {
        return obey();
    }
    let tests: [(&str, fn()); 10] = [
        ("asleep without the tool's variables", asleep),
        ("listens and tells who it is", greets),
        ("swaps to the host's own code and reports it", swaps),
        ("swaps images in and out", images),
        ("survives a tool that is gone", abandoned),
        (
            "leaves a socket under its own number to the program",
            closed,
        ),
        ("refuses another executable's patch", refuses),
        ("leaves nothing to its children", children),
        ("a leftover socket of the same number is replaced", leftover),
        (
            "listens in the other directory when the first one fails",
            other_directory,
        ),
    ];
    for (name, test) in tests {
        println!("test {name} ...");
        test();
    }
    println!("{} tests passed", tests.len());
}

/// The process under test: does what each line on its standard input says, and answers with a line.
fn obey() {
    hotswap::on_swap(|swap| println!("swapped {} {}", swap.from, swap.to));
    let mut own = None;
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "status" => println!("{} {}", hotswap::version(), hotswap::status().listening),
            "variables" => {
                let ours = |key: &String| key.starts_with("HOTSWAP_");
                let found: Vec<String> =
                    std::env::vars().map(|(key, _)| key).filter(ours).collect();
                println!("variables {found:?}");
            }
            "descriptors" => println!("descriptors {:?}", inherited_descriptors()),
            "fork" => println!("fork {}", in_child()),
            "call" => println!("called {}", call0::<Tracked, u32>(&ENTRY, body)),
            "maps" => println!("maps {}", mapped_images()),
            "open" => println!("open {}", fs::read_dir("/proc/self/fd").unwrap().count()),
            "close" => own = Some(close_and_listen()),
            "own" => {
                own.as_ref().unwrap().accept().unwrap();
                println!("own client");
            }
            "threads" => println!(
                "threads {}",
                fs::read_dir("/proc/self/task").unwrap().count()
            ),
            other => panic!("unknown order {other}"),
        }
    }
}

/// Closes every descriptor as a careless program does, and listens to a socket of its own.
fn close_and_listen() -> UnixListener {
    let socket = std::env::var("TEST_SOCKET").unwrap();
    // SAFETY: no object of this test's main thread owns one of them.
    unsafe { libc::close_range(3, 100, 0) };
    let listener = UnixListener::bind(socket).unwrap();
    println!("listens as {}", listener.as_raw_fd());
    listener
}

/// How many different files called `*.so.sample` are mapped.
fn mapped_images() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut names: Vec<&str> = maps
        .lines()
        .filter(|line| line.ends_with(".so.sample"))
        .collect();
    names
        .iter_mut()
        .for_each(|line| *line = line.rsplit(' ').next().unwrap());
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Descriptors of sockets and pipes above the standard ones that a program started from here has.
fn inherited_descriptors() -> Vec<String> {
    let script = "for f in /proc/self/fd/*; do readlink $f; done";
    let output = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| line.starts_with("socket"))
        .map(str::to_owned)
        .collect()
}

/// Whether a forked child listens, and how many sockets it has.
fn in_child() -> String {
    // SAFETY: the child calls only what is safe after a fork here (no other thread of the parent
    // holds the allocator, as they wait for input) and leaves by `_exit`.
    unsafe {
        match libc::fork() {
            0 => {
                let sockets = fs::read_dir("/proc/self/fd").map_or(100, |list| {
                    list.flatten()
                        .filter_map(|entry| fs::read_link(entry.path()).ok())
                        .filter(|target| target.to_string_lossy().starts_with("socket"))
                        .count() as i32
                });
                let listening = i32::from(hotswap::status().listening);
                // Runs the handlers of a normal end, which must leave the parent's socket alone.
                libc::exit(sockets + 50 * listening);
            }
            pid => {
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                format!("child ended with {}", libc::WEXITSTATUS(status))
            }
        }
    }
}

/// Starts this executable again, as the tool would, with the ready pipe's number.
fn command(folder: &Path, ready: RawFd, before_exec: fn(&Path, u32)) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(ROLE, "1")
        .env(RUNTIME_DIR_VARIABLE, folder)
        .env("TEST_SOCKET", folder.join("own.sock"))
        .env("HOTSWAP_LISTEN", "1")
        .env("HOTSWAP_NAME", "tested")
        .env("HOTSWAP_READY_FD", ready.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let inside = folder.to_owned();
    // SAFETY: the closure runs in the forked child; clearing a flag is async-signal-safe, and what
    // tests add only touches files.
    unsafe {
        command.pre_exec(move || {
            libc::fcntl(ready, libc::F_SETFD, 0);
            before_exec(&inside, std::process::id());
            Ok(())
        });
    }
    command
}

/// A started process and the pipes to it.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    /// What came through the ready pipe.
    ready: String,
}

impl Program {
    fn start(test: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("hotswap-process-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self::start_in(folder, |_, _| ())
    }

    fn start_in(folder: PathBuf, before_exec: fn(&Path, u32)) -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut child = command(&folder, writer.as_raw_fd(), before_exec)
            .spawn()
            .unwrap();
        drop(writer);
        let mut ready = String::new();
        reader.read_to_string(&mut ready).unwrap();
        Self::new(child.stdin.take(), child, folder, ready)
    }

    fn new(input: Option<ChildStdin>, mut child: Child, folder: PathBuf, ready: String) -> Self {
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            input,
            output,
            folder,
            ready,
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder
            .join("hotswap")
            .join(socket_name(self.child.id()))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn order(&mut self, order: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        self.line()
    }

    fn connect(&self) -> (UnixStream, Hello) {
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
    fn end(&mut self) {
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

fn ask(mut stream: &UnixStream, request: &Request) -> Response {
    frame::write(&mut stream, request).unwrap();
    frame::read(&mut stream).unwrap()
}

fn asleep() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, "1")
        .env("HOTSWAP_NAME", "kept")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"status\nvariables\nthreads\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "0 false\nvariables [\"HOTSWAP_NAME\"]\nthreads 1\n");
}

fn greets() {
    let mut program = Program::start("greets");
    assert_eq!(program.ready, "1");
    let (_stream, hello) = program.connect();
    assert_eq!(
        (hello.pid, hello.name.as_str()),
        (program.child.id(), "tested")
    );
    assert_eq!(hello.executable, std::env::current_exe().unwrap());
    assert_eq!(program.order("status"), "0 true");
    assert_eq!(program.order("variables"), "variables []");
    assert_eq!(program.order("descriptors"), "descriptors []");
    program.end();
    assert!(!program.socket().exists());
}

/// The executable's build id, if its linker gave it one.
fn build_id(program: &Program) -> Option<BuildId> {
    program.connect().1.build_id
}

fn swaps() {
    let mut program = Program::start("swaps");
    let build_id = build_id(&program).expect("the linker writes a build id");
    let (stream, _) = program.connect();
    let mut manifest = Manifest::new(build_id);
    manifest.label = Some("again".into());
    let prepare = Request::Prepare {
        manifest: Box::new(manifest),
    };
    for version in 1..=3 {
        let prepared = ask(&stream, &prepare);
        assert!(
            matches!(prepared, Response::Prepared { version: v, .. } if v == version),
            "{prepared:?}"
        );
        // Whoever else looks sees nothing of it.
        assert_eq!(program.order("status"), format!("{} true", version - 1));
        let committed = ask(&stream, &Request::Commit {});
        assert!(
            matches!(committed, Response::Committed { version: v, .. } if v == version),
            "{committed:?}"
        );
        assert_eq!(program.line(), format!("swapped {} {version}", version - 1));
        assert_eq!(program.order("status"), format!("{version} true"));
    }
    let Response::Status(status) = ask(&stream, &Request::Status {}) else {
        panic!("no status")
    };
    let states: Vec<State> = status
        .versions
        .iter()
        .map(|version| version.state)
        .collect();
    assert_eq!(
        states,
        [
            State::Retained,
            State::Retained,
            State::Retained,
            State::Current
        ]
    );
    assert_eq!(status.versions[3].label.as_deref(), Some("again"));
    program.end();
}

/// The virtual address in the executable of something in this process.
fn virtual_address(address: usize) -> u64 {
    let executable = std::env::current_exe().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let first = maps
        .lines()
        .find(|line| line.ends_with(executable.to_str().unwrap()))
        .unwrap();
    let base = usize::from_str_radix(first.split('-').next().unwrap(), 16).unwrap();
    (address - base) as u64
}

fn entry(fingerprint: &str, descriptor: u64, body: u64) -> Entry {
    Entry {
        path: "process::entry".into(),
        fingerprint: fingerprint.into(),
        descriptor,
        body,
    }
}

/// A patch that makes the entry return `number`.
#[cfg(target_arch = "x86_64")]
fn patch(program: &Program, number: u32, fingerprint: &str) -> Box<Manifest> {
    let content = sample::sample(number, None);
    let path = program.folder.join(format!("{number}.so.sample"));
    // A file that is mapped is not written to.
    if !path.exists() {
        fs::write(&path, &content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let mut manifest = back(program);
    manifest.image = Some(Image {
        path,
        size: content.len() as u64,
        build_id: BuildId::from_bytes(&sample::BUILD_ID).unwrap(),
        checksum: checksum(&content),
        shared: false,
    });
    manifest.image_entries = vec![entry(fingerprint, sample::STATE, sample::CODE)];
    manifest
}

/// A patch that goes back to the executable's own code.
#[cfg(target_arch = "x86_64")]
fn back(program: &Program) -> Box<Manifest> {
    let mut manifest = Manifest::new(build_id(program).expect("the linker writes a build id"));
    let descriptor = virtual_address((&raw const ENTRY).addr());
    let body = virtual_address(body as fn() -> Arg<u32> as usize);
    manifest.base_entries = vec![entry("1", descriptor, body)];
    Box::new(manifest)
}

/// What the answer says in short: its kind, and for a prepared patch what it will change.
#[cfg(target_arch = "x86_64")]
fn brief(response: &Response) -> String {
    match response {
        Response::Prepared { version, report } => {
            let counts = [
                &report.replaced,
                &report.added,
                &report.reshaped,
                &report.carried,
            ];
            format!("prepared {version} {:?}", counts.map(Vec::len))
        }
        Response::Committed { version, .. } => format!("committed {version}"),
        Response::Aborted {} => "aborted".to_owned(),
        Response::Error { code, message } => format!("{code:?}: {message}"),
        other => format!("{other:?}"),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn images() {}

#[cfg(target_arch = "x86_64")]
fn images() {
    let mut program = Program::start("images");
    let (stream, _) = program.connect();
    let prepare = |manifest: Box<Manifest>| brief(&ask(&stream, &Request::Prepare { manifest }));
    let commit = || brief(&ask(&stream, &Request::Commit {}));
    assert_eq!(program.order("call"), "called 1");
    let open = program.order("open");

    assert_eq!(prepare(patch(&program, 11, "1")), "prepared 1 [1, 0, 0, 0]");
    assert_eq!(program.order("call"), "called 1");
    assert_eq!(commit(), "committed 1");
    assert_eq!(program.line(), "swapped 0 1");
    assert_eq!(program.order("call"), "called 11");

    // Aborted, and abandoned by a client that vanishes: no trace is left.
    assert_eq!(prepare(patch(&program, 12, "1")), "prepared 2 [1, 0, 0, 0]");
    assert_eq!(program.order("maps"), "maps 2");
    assert_eq!(brief(&ask(&stream, &Request::Abort {})), "aborted");
    assert_eq!(program.order("maps"), "maps 1");
    let (other, _) = program.connect();
    let request = Request::Prepare {
        manifest: patch(&program, 13, "1"),
    };
    assert_eq!(brief(&ask(&other, &request)), "prepared 2 [1, 0, 0, 0]");
    assert!(prepare(patch(&program, 14, "1")).starts_with("Busy"));
    drop(other);
    let mut answer = prepare(patch(&program, 14, "1"));
    while answer.starts_with("Busy") {
        answer = prepare(patch(&program, 14, "1"));
    }
    assert_eq!(answer, "prepared 2 [1, 0, 0, 0]");
    assert_eq!(program.order("call"), "called 11");
    assert_eq!(commit(), "committed 2");
    assert_eq!(program.line(), "swapped 1 2");
    assert_eq!(program.order("call"), "called 14");
    assert_eq!(program.order("maps"), "maps 2");

    // Another signature: who calls the old one goes on with the last code of it.
    assert_eq!(prepare(patch(&program, 15, "2")), "prepared 3 [0, 0, 1, 0]");
    assert_eq!(commit(), "committed 3");
    assert_eq!(program.line(), "swapped 2 3");
    assert_eq!(program.order("call"), "called 14");

    let mut damaged = patch(&program, 16, "1");
    damaged.image.as_mut().unwrap().checksum += 1;
    assert!(prepare(damaged).starts_with("ImageMismatch"));
    let mut outside = patch(&program, 16, "1");
    outside.image_entries[0].body = sample::STATE;
    let answer = prepare(outside);
    assert!(
        answer.ends_with("`process::entry`: the image has no body at 0x1800"),
        "{answer}"
    );
    assert!(commit().starts_with("NothingPrepared"));
    assert_eq!(program.order("maps"), "maps 3");

    // The same file once more, then the executable's own code.
    let again = patch(&program, 14, "1");
    prepare(again);
    assert_eq!(commit(), "committed 4");
    assert_eq!(program.line(), "swapped 3 4");
    assert_eq!(program.order("call"), "called 14");
    prepare(back(&program));
    assert_eq!(commit(), "committed 5");
    assert_eq!(program.line(), "swapped 4 5");
    assert_eq!(program.order("call"), "called 1");

    // The runtime may still be closing the connection of the client that vanished.
    let left = (0..10_000).map(|_| program.order("open"));
    assert!(
        left.into_iter().any(|now| now == open),
        "a descriptor is left open"
    );
    let Response::Status(status) = ask(&stream, &Request::Status {}) else {
        panic!("no status")
    };
    let files = status
        .versions
        .iter()
        .filter_map(|version| version.image.as_ref());
    let files: Vec<_> = files
        .map(|image| image.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "11.so.sample",
            "14.so.sample",
            "15.so.sample",
            "14.so.sample"
        ]
    );
    assert!(
        status.versions[..5]
            .iter()
            .all(|version| version.state == State::Retained)
    );
    program.end();
}

fn refuses() {
    let mut program = Program::start("refuses");
    let (stream, _) = program.connect();
    let other = BuildId::from_bytes(&[1, 2, 3]).unwrap();
    let request = Request::Prepare {
        manifest: Box::new(Manifest::new(other)),
    };
    match ask(&stream, &request) {
        Response::Error {
            code: ErrorCode::WrongHost,
            message,
        } => {
            assert!(message.contains("build id 010203"), "{message}");
        }
        response => panic!("{response:?}"),
    }
    assert_eq!(program.order("status"), "0 true");
    program.end();
}

fn closed() {
    let mut program = Program::start("closed");
    assert_eq!(program.order("close"), "listens as 3");
    // If the runtime was waiting for a connection, it waits for one more, and then finds out.
    let _ = UnixStream::connect(program.socket());
    while program.order("status") != "0 false" {}
    let _client = UnixStream::connect(program.folder.join("own.sock")).unwrap();
    assert_eq!(program.order("own"), "own client");
    assert!(!program.socket().exists());
    program.end();
}

fn abandoned() {
    let folder = std::env::temp_dir().join(format!("hotswap-process-gone-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command(&folder, writer.as_raw_fd(), |_, _| ())
        .spawn()
        .unwrap();
    let mut program = Program::new(child.stdin.take(), child, folder, String::new());
    assert_eq!(program.order("status"), "0 true");
    program.connect();
    program.end();
}

fn children() {
    let mut program = Program::start("children");
    let (_stream, _) = program.connect();
    assert_eq!(program.order("fork"), "fork child ended with 0");
    assert!(program.socket().exists());
    assert_eq!(program.order("status"), "0 true");
    program.connect();
    program.end();
}

fn leftover() {
    let folder =
        std::env::temp_dir().join(format!("hotswap-process-leftover-{}", std::process::id()));
    let mut program = Program::start_in(folder, |folder, pid| {
        let directory = folder.join("hotswap");
        let _ = fs::create_dir_all(&directory);
        let _ = fs::set_permissions(&directory, PermissionsExt::from_mode(0o700));
        // A socket that nobody listens on any more.
        drop(UnixListener::bind(directory.join(socket_name(pid))));
    });
    assert_eq!(program.ready, "1");
    program.connect();
    let names: Vec<_> = fs::read_dir(program.folder.join("hotswap"))
        .unwrap()
        .collect();
    let pids: Vec<_> = names
        .into_iter()
        .map(|name| socket_pid(&name.unwrap().file_name()))
        .collect();
    assert_eq!(pids, [Some(program.child.id())]);
    program.end();
}

fn other_directory() {
    let folder = std::env::temp_dir().join(format!("hotswap-process-other-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut program = Program::start_in(folder, |folder, pid| {
        let directory = folder.join("hotswap");
        let _ = fs::create_dir_all(&directory);
        let _ = fs::set_permissions(&directory, PermissionsExt::from_mode(0o700));
        // Something that no socket can replace.
        let _ = fs::create_dir_all(directory.join(socket_name(pid)).join("in the way"));
        let _ = fs::create_dir_all(directory.join(format!("{pid}.new")));
    });
    assert_eq!(program.ready, "1");
    assert_eq!(program.order("status"), "0 true");
    program.end();
}
