//! A last word: where a fatal signal met the program is told to the tool, and then the signal takes
//! its course as if nobody had listened.
//!
//! The handler is there only if the tool gave a pipe and asked for it, and only for signals whose
//! disposition was the default, or the standard library's own handler for stack overflows: a
//! handler of the program's is never touched, and one that the program sets later takes this one's
//! place. What the handler does is allowed in a signal handler: atomic accesses, and the calls
//! `getpid`, `fstat`, `write`, `sigaction` and `rt_tgsigqueueinfo`. It gives back what was there
//! before, so that the message about a stack overflow, the core file and the way in which the
//! process ends are what they are without it.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use hotswap_protocol::crash::{CrashHeader, MAX_STACK_BYTES};
use libc::{c_int, c_void, siginfo_t};

use crate::engine::elf::Use;
use crate::engine::fork::Place;
use crate::engine::loaded;
use crate::sync::{AtomicU32, Ordering};

/// Signals that a fault in the program raises, or the program itself when it gives up.
const SIGNALS: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
];

/// The signals that the standard library may handle.
const OF_STD: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was done about each signal before; set before the handler is.
static BEFORE: [OnceLock<libc::sigaction>; SIGNALS.len()] =
    [const { OnceLock::new() }; SIGNALS.len()];

/// Where to write.
static PIPE: OnceLock<Pipe> = OnceLock::new();

/// 1 after the first report. The second of two threads that die together says nothing.
static REPORTED: AtomicU32 = AtomicU32::new(0);

/// Bytes of a page: a part of the stack that does not cross one can be read as a whole or not at
/// all.
const PAGE_BYTES: usize = 4096;

/// What is written for a page that can't be read.
static NOTHING: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// How often and how long the standard library is waited for, which sets its handlers just before
/// `main`. The tool asks later than that, unless the program's own initialisers take long.
const PATIENCE: (u32, Duration) = (100, Duration::from_millis(2));

/// The pipe to the tool, and what tells it from a file that the program may have put in its place.
#[derive(Debug)]
struct Pipe {
    descriptor: RawFd,
    identity: (u64, u64),
    /// The process that it is for: a forked child's end is none of the tool's business.
    owner: libc::pid_t,
}

impl AsRawFd for Pipe {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

/// Takes the inherited pipe with this number for reports.
pub(crate) fn adopt(descriptor: RawFd) {
    // SAFETY: these commands take an integer; if the descriptor is not open, they fail.
    unsafe {
        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        // Nobody may wait for a tool that does not read.
        libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK);
    }
    let Some(identity) = identity(descriptor) else {
        return;
    };
    // SAFETY: `getpid` has no preconditions.
    let owner = unsafe { libc::getpid() };
    let pipe = PIPE.get_or_init(|| Pipe {
        descriptor,
        identity,
        owner,
    });
    // Children close it. It stays in the list for good.
    std::mem::forget(Place::take(pipe));
}

/// Device and inode of an open pipe. Called in the handler, too.
fn identity(descriptor: RawFd) -> Option<(u64, u64)> {
    // SAFETY: an all-zero record is a value of the type; the call writes to nothing else.
    let status = unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        if libc::fstat(descriptor, &raw mut status) == -1 {
            return None;
        }
        status
    };
    (status.st_mode & libc::S_IFMT == libc::S_IFIFO).then_some((status.st_dev, status.st_ino))
}

/// Handles the signals that nobody else does; `std_handler` is the virtual address of the standard
/// library's handler. The result is all signals that are reported.
pub(crate) fn report(std_handler: Option<u64>) -> Vec<c_int> {
    if PIPE.get().is_none() || !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    let std_handler = std_handler.and_then(|address| {
        let handler = loaded::executable()?.address(address, 1, Use::Code)?;
        Some(handler.addr())
    });
    let handled = |index: &usize| {
        let expected = std_handler.filter(|_| OF_STD.contains(&SIGNALS[*index]));
        BEFORE[*index].get().is_some() || set(*index, expected)
    };
    let indices = (0..SIGNALS.len()).filter(handled);
    indices.map(|index| SIGNALS[index]).collect()
}

/// Sets the handler of a signal, whose handler until now must be the expected one, or the default.
fn set(index: usize, expected: Option<usize>) -> bool {
    let signal = SIGNALS[index];
    let (attempts, pause) = PATIENCE;
    for _ in 0..attempts {
        match (disposition(signal), expected) {
            (Some(before), Some(handler)) if before.sa_sigaction == handler => {
                return replace(index, before);
            }
            // The standard library takes a handler that is there for the program's, and leaves its
            // own out. So it has to be first.
            (Some(before), Some(_)) if before.sa_sigaction == libc::SIG_DFL => thread::sleep(pause),
            (Some(before), None) if before.sa_sigaction == libc::SIG_DFL => {
                return replace(index, before);
            }
            _ => return false,
        }
    }
    false
}

fn disposition(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: an all-zero record is a value of the type, and the call only writes to it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let outcome = libc::sigaction(signal, std::ptr::null(), &raw mut action);
        (outcome == 0).then_some(action)
    }
}

fn replace(index: usize, before: libc::sigaction) -> bool {
    let signal = SIGNALS[index];
    BEFORE[index].get_or_init(|| before);
    // SAFETY: all-zero records are values of the type. The handler is a function of this
    // executable, which is never unloaded, of the type that the flags ask for. It runs on the
    // thread's own stack for signals, if it has one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut found: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction =
            last_word as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        if libc::sigaction(signal, &raw const action, &raw mut found) == -1 {
            return false;
        }
        if found.sa_sigaction != before.sa_sigaction {
            // The program has set one of its own in this very moment.
            libc::sigaction(signal, &raw const found, std::ptr::null_mut());
            return false;
        }
    }
    true
}

/// The handler.
extern "C" fn last_word(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    // SAFETY: the system gave both to this handler, which asked for them.
    unsafe { write_report(signal, info, context) };
    give_back(signal, info);
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = error };
}

/// Writes where the signal came, if nobody has before.
///
/// # Safety
///
/// Both pointers must be those that the system gave to a handler of this signal.
unsafe fn write_report(signal: c_int, info: *const siginfo_t, context: *const c_void) {
    let Some(pipe) = PIPE.get() else { return };
    // SAFETY: the record is valid for the time of the handler. The address is part of it for
    // signals that the system raises itself, which have a code above 0.
    let (code, address) = unsafe {
        let code = (*info).si_code;
        let address = if code > 0 {
            (*info).si_addr().addr()
        } else {
            0
        };
        (code, address)
    };
    if code <= 0 && signal != libc::SIGABRT {
        // Somebody sent it, so that it says nothing about this place; and the standard library's
        // handler lets a program live that gets one for the first time.
        return;
    }
    // SAFETY: `getpid` has no preconditions.
    let in_child = unsafe { libc::getpid() } != pipe.owner;
    if in_child
        || REPORTED.swap(1, Ordering::AcqRel) != 0
        || identity(pipe.descriptor) != Some(pipe.identity)
    {
        return;
    }
    // SAFETY: by this function's contract.
    let Some([ip, sp, bp]) = (unsafe { registers(context) }) else {
        return;
    };
    let header = CrashHeader {
        signal,
        code,
        address: address as u64,
        ip,
        sp,
        bp,
    };
    let bytes = header.to_bytes();
    if write(pipe.descriptor, bytes.as_ptr().addr(), bytes.len()) {
        write_stack(pipe.descriptor, sp as usize);
    }
}

/// Copies the stack from this address on, until its end or the pipe is full. After an overflow
/// the stack pointer is below what can be read: zeros stand for that.
fn write_stack(descriptor: RawFd, start: usize) {
    let end = start.saturating_add(MAX_STACK_BYTES);
    let mut at = start;
    let mut below = 2;
    while at < end {
        let page_end = (at / PAGE_BYTES + 1).saturating_mul(PAGE_BYTES).min(end);
        let bytes = page_end - at;
        if write(descriptor, at, bytes) {
            below = 0;
        } else if below == 0 || !write(descriptor, NOTHING.as_ptr().addr(), bytes) {
            return;
        } else {
            below -= 1;
        }
        at = page_end;
    }
}

/// Whether all these bytes of memory were written.
fn write(descriptor: RawFd, address: usize, bytes: usize) -> bool {
    let from: *const c_void = std::ptr::with_exposed_provenance(address);
    // SAFETY: the system reads the bytes, not this program: where they can't be read, the call
    // fails. The descriptor is the tool's pipe, and the call never waits.
    let written = unsafe { libc::write(descriptor, from, bytes) };
    written.cast_unsigned() == bytes
}

/// Instruction, stack and frame pointer of what was interrupted.
///
/// # Safety
///
/// The pointer must be the one that the system gave to a signal handler.
#[cfg(target_arch = "x86_64")]
unsafe fn registers(context: *const c_void) -> Option<[u64; 3]> {
    // SAFETY: by this function's contract it is a record of this type.
    let general = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register = |index: c_int| general[index as usize].cast_unsigned();
    Some([
        register(libc::REG_RIP),
        register(libc::REG_RSP),
        register(libc::REG_RBP),
    ])
}

/// Other processors have other registers.
///
/// # Safety
///
/// None is needed.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn registers(_context: *const c_void) -> Option<[u64; 3]> {
    None
}

/// Gives the signal back to whoever had it before. A fault comes again when the handler returns,
/// since its instruction is run again; a signal that somebody sent is sent once more.
fn give_back(signal: c_int, info: *const siginfo_t) {
    let index = SIGNALS.iter().position(|one| *one == signal);
    let Some(before) = index.and_then(|index| BEFORE[index].get()) else {
        return;
    };
    // SAFETY: the action is one that the system gave; the record is the system's own, valid for
    // the time of the handler; the calls take nothing else but numbers.
    unsafe {
        libc::sigaction(signal, std::ptr::from_ref(before), std::ptr::null_mut());
        if (*info).si_code <= 0 {
            let (process, thread) = (libc::getpid(), libc::syscall(libc::SYS_gettid));
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info);
        }
    }
}
