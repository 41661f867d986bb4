//! A real process that dies in various ways: what it says last, and that it dies as it would
//! without.
//!
//! The process is this test's own executable, started again with a word that tells it how to end.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::fs;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hotswap_protocol::address::{RUNTIME_DIR_VARIABLE, socket_name};
use hotswap_protocol::crash::CrashHeader;
use hotswap_protocol::frame;
use hotswap_protocol::message::{PROTOCOL, Request, Response};

/// The variable that tells the started process that it is one.
const ROLE: &str = "TEST_ROLE";

/// Refers to the runtime, so that it is linked.
fn main() {
    assert_eq!(hotswap::version(), 0);
    if std::env::var_os(ROLE).is_some() {
        return obey();
    }
    let tests: [(&str, fn()); 9] = [
        ("a bad access is told and ends the process", bad_access),
        ("a stack overflow keeps its message", overflow),
        ("so does one of another thread", overflow_in_thread),
        ("an abort is told", abort),
        (
            "an abort that somebody sends is told, no other signal",
            sent,
        ),
        ("an invalid instruction is told", invalid_instruction),
        ("handlers of the program's are not touched", own_handlers),
        ("a child's end is not told", child),
        ("a file in the pipe's place gets nothing", pipe_closed),
    ];
    for (name, test) in tests {
        println!("test {name} ...");
        test();
    }
    println!("{} tests passed", tests.len());
}

/// The process under test.
fn obey() {
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "alive" => println!("alive"),
            "handler" => println!("{}", handler() - first_address()),
            "access" => access(),
            "overflow" => println!("{}", overflowing(1)),
            "thread" => std::thread::Builder::new()
                .name("deep".into())
                .spawn(|| println!("{}", overflowing(1)))
                .unwrap()
                .join()
                .unwrap(),
            "abort" => std::process::abort(),
            // SAFETY: the instruction only ends the process.
            "invalid" => unsafe { std::arch::asm!("ud2") },
            "own" => println!("{}", set_own_handler()),
            "child" => println!("{}", child_that_dies()),
            "close" => println!("{}", put_stdout_in_place_of_the_pipe()),
            other => panic!("unknown order {other}"),
        }
    }
}

/// The address of what handles bad accesses now.
fn handler() -> usize {
    // SAFETY: an all-zero record is a value of the type, and the call only writes to it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGSEGV, std::ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

/// Where this executable begins in memory.
fn first_address() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let executable = std::env::current_exe().unwrap();
    let executable = executable.to_str().unwrap();
    let line = maps
        .lines()
        .find(|line| line.ends_with(executable))
        .unwrap();
    usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
}

#[inline(never)]
fn access() {
    let nowhere = black_box(std::ptr::without_provenance_mut::<u32>(8));
    // SAFETY: none; the process is to die of it.
    unsafe { nowhere.write_volatile(1) };
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn overflowing(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    overflowing(depth + 1) + room[7]
}

extern "C" fn own_handler(_signal: libc::c_int) {
    std::process::exit(77);
}

fn set_own_handler() -> usize {
    let handler = own_handler as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler has the type that is asked for, and only ends the process.
    unsafe { libc::signal(libc::SIGSEGV, handler) };
    handler
}

fn child_that_dies() -> i32 {
    // SAFETY: the child does nothing but a bad access.
    unsafe {
        match libc::fork() {
            0 => {
                access();
                libc::_exit(0)
            }
            pid => {
                let mut status = 0;
                libc::waitpid(pid, &raw mut status, 0);
                libc::WTERMSIG(status)
            }
        }
    }
}

fn put_stdout_in_place_of_the_pipe() -> RawFd {
    let number = std::env::var("TEST_PIPE").unwrap().parse().unwrap();
    // SAFETY: both are open, and nothing in this process owns the second.
    unsafe { libc::dup2(libc::STDOUT_FILENO, number) }
}

/// A started process, its pipes, and the one on which it says its last word.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    crash: PipeReader,
    folder: PathBuf,
}

impl Program {
    fn start(test: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("hotswap-crash-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (mut ready, ready_writer) = std::io::pipe().unwrap();
        let (crash, crash_writer) = std::io::pipe().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .env(ROLE, "1")
            .env(RUNTIME_DIR_VARIABLE, &folder)
            .env("HOTSWAP_LISTEN", "tool")
            .env("HOTSWAP_READY_FD", ready_writer.as_raw_fd().to_string())
            .env("HOTSWAP_CRASH_FD", crash_writer.as_raw_fd().to_string())
            .env("TEST_PIPE", crash_writer.as_raw_fd().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let inherited = [ready_writer.as_raw_fd(), crash_writer.as_raw_fd()];
        // SAFETY: clearing a flag is all that is done in the forked child.
        unsafe {
            command.pre_exec(move || {
                for descriptor in inherited {
                    libc::fcntl(descriptor, libc::F_SETFD, 0);
                }
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap();
        drop((ready_writer, crash_writer));
        let mut answer = String::new();
        ready.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "1");
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            crash,
            folder,
        }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.input, "{order}").unwrap();
    }

    fn answer(&mut self, order: &str) -> String {
        self.order(order);
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Asks for reports, as the tool does; the signals that are reported.
    fn arm(&mut self) -> Vec<i32> {
        let handler = self.answer("handler").parse().unwrap();
        self.arm_with(Some(handler))
    }

    fn arm_with(&self, stack_overflow_handler: Option<u64>) -> Vec<i32> {
        let socket = self
            .folder
            .join("hotswap")
            .join(socket_name(self.child.id()));
        let mut stream = UnixStream::connect(socket).unwrap();
        let tool = "test".to_owned();
        let protocol = PROTOCOL;
        frame::write(&mut stream, &Request::Hello { protocol, tool }).unwrap();
        let _: Response = frame::read(&mut stream).unwrap();
        let request = Request::ReportCrashes {
            stack_overflow_handler,
        };
        frame::write(&mut stream, &request).unwrap();
        match frame::read(&mut stream).unwrap() {
            Response::Reporting { signals } => signals,
            other => panic!("{other:?}"),
        }
    }

    /// How it ended: the signal, what it wrote to stderr, and its last word.
    fn end(mut self) -> (Option<i32>, String, Vec<u8>) {
        let status = self.child.wait().unwrap();
        let (mut words, mut report) = (String::new(), Vec::new());
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut words).unwrap();
        self.crash.read_to_end(&mut report).unwrap();
        (status.signal(), words, report)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn check(test: &str, order: &str, signal: i32, told: i32) -> (CrashHeader, Vec<u8>, String) {
    let mut program = Program::start(test);
    assert_eq!(
        program.arm(),
        [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGABRT
        ]
    );
    program.order(order);
    let (found, words, report) = program.end();
    assert_eq!(found, Some(signal), "{words}");
    let (header, stack) = CrashHeader::parse(&report).expect("a last word");
    assert_eq!(header.signal, told);
    (header, stack.to_vec(), words)
}

fn bad_access() {
    let (header, stack, _) = check("access", "access", libc::SIGSEGV, libc::SIGSEGV);
    assert_eq!((header.code, header.address), (1, 8));
    assert!(header.ip != 0 && header.sp % 8 == 0, "{header:?}");
    assert!(stack.iter().any(|byte| *byte != 0), "{} bytes", stack.len());
}

fn overflow() {
    let (_, stack, words) = check("overflow", "overflow", libc::SIGABRT, libc::SIGSEGV);
    assert!(words.contains("has overflowed its stack"), "{words}");
    // What is above the pages that can't be read.
    assert!(stack.iter().any(|byte| *byte != 0), "{} bytes", stack.len());
}

fn overflow_in_thread() {
    let (_, _, words) = check("thread", "thread", libc::SIGABRT, libc::SIGSEGV);
    assert!(words.contains("thread 'deep'"), "{words}");
    assert!(words.contains("has overflowed its stack"), "{words}");
}

fn abort() {
    let (header, ..) = check("abort", "abort", libc::SIGABRT, libc::SIGABRT);
    assert_eq!(header.address, 0);
}

fn invalid_instruction() {
    let (header, ..) = check("invalid", "invalid", libc::SIGILL, libc::SIGILL);
    assert_eq!(header.address, header.ip);
}

fn sent() {
    let mut program = Program::start("sent");
    let send = |program: &Program, signal| {
        // SAFETY: the process is this test's child, and not waited for yet.
        unsafe { libc::kill(program.child.id().cast_signed(), signal) };
    };
    program.arm();
    // The first of these is what the standard library lets programs live through.
    send(&program, libc::SIGBUS);
    assert_eq!(program.answer("alive"), "alive");
    send(&program, libc::SIGABRT);
    let (signal, _, report) = program.end();
    assert_eq!(signal, Some(libc::SIGABRT));
    let (header, _) = CrashHeader::parse(&report).expect("a last word");
    assert_eq!((header.signal, header.address), (libc::SIGABRT, 0));
    assert!(header.code <= 0, "{header:?}");
}

fn own_handlers() {
    // One that is there before.
    let mut program = Program::start("before");
    let of_std = program.answer("handler").parse().unwrap();
    program.answer("own");
    let signals = program.arm_with(Some(of_std));
    assert!(!signals.contains(&libc::SIGSEGV), "{signals:?}");
    assert!(signals.contains(&libc::SIGABRT), "{signals:?}");
    program.order("access");
    assert_eq!(program.child.wait().unwrap().code(), Some(77));
    assert!(program.end().2.is_empty());
    // One that comes later.
    let mut program = Program::start("later");
    program.arm();
    program.answer("own");
    program.order("access");
    assert_eq!(program.child.wait().unwrap().code(), Some(77));
    assert!(program.end().2.is_empty());
}

fn child() {
    let mut program = Program::start("child");
    program.arm();
    assert_eq!(program.answer("child"), libc::SIGSEGV.to_string());
    program.order("access");
    let (signal, _, report) = program.end();
    assert_eq!(signal, Some(libc::SIGSEGV));
    assert!(CrashHeader::parse(&report).is_some());
}

fn pipe_closed() {
    let mut program = Program::start("closed");
    program.arm();
    assert!(program.answer("close").parse::<RawFd>().unwrap() > 2);
    program.order("access");
    let mut rest = Vec::new();
    program.output.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes", rest.len());
    let (signal, _, report) = program.end();
    assert_eq!(signal, Some(libc::SIGSEGV));
    assert!(report.is_empty());
}
