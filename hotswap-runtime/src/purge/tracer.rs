//! Makes all threads of the program stand, by a process of its own that traces them.
//!
//! The process shares the program's memory and open files. It traces every thread but the one that
//! asked, reads their registers, scans what is left, and ends; with its end the kernel lets all threads
//! run again, whatever happened to it. The thread that asked waits, and ends the tracer if that is late.
//! The tracer allocates nothing, takes no lock and calls no code that could.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_long, c_void};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Obstacle;
use super::kernel::errno;
use super::scan::{Scan, Thread, now};

const STACK_BYTES: usize = 256 << 10;
const LISTING_BYTES: usize = 32 << 10;
/// More than any processor's registers take.
const REGISTERS_BYTES: usize = 16 << 10;
/// How long after the deadline the tracer is ended from without.
const GRACE: Duration = Duration::from_millis(5);
/// How often one looks whether the tracer still lives.
const LOOK: Duration = Duration::from_millis(2);

/// The tracer waits until it may trace.
const BORN: u32 = 0;
const MAY_TRACE: u32 = 1;
/// All threads stand, and the thread that asked may put its questions to the kernel.
const STANDING: u32 = 2;
const ANSWERED: u32 = 3;
const DONE: u32 = 4;

/// What the two share.
struct Shared<'a> {
    step: AtomicU32,
    scan: UnsafeCell<&'a mut Scan>,
    outcome: UnsafeCell<Result<(), Obstacle>>,
    pid: i32,
    budget: Duration,
    library: Range<u64>,
    listing: *mut u8,
    registers: *mut u8,
}

/// Stops all other threads, scans their registers and the rest of memory, and lets them run again.
/// Meanwhile `ask` is called once, by this thread; it must neither allocate nor lock. `library` is the
/// code of the C library. Gives the time from the first thread that stands to the last that runs again.
pub(super) fn look(
    scan: &mut Scan,
    budget: Duration,
    library: Range<u64>,
    ask: impl FnOnce(),
) -> (Result<(), Obstacle>, Duration) {
    let stack = scan.bytes(STACK_BYTES);
    let shared = Shared {
        step: AtomicU32::new(BORN),
        listing: scan.bytes(LISTING_BYTES),
        registers: scan.bytes(REGISTERS_BYTES),
        pid: scan.pid,
        scan: UnsafeCell::new(scan),
        outcome: UnsafeCell::new(Err(Obstacle::TracerEnded)),
        budget,
        library,
    };
    let flags = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_UNTRACED;
    let argument = (&raw const shared).cast_mut().cast::<c_void>();
    // SAFETY: the stack is a piece of the arena, which outlives the process that uses it, as `shared`
    // does: this function does not return before that has ended. Signals are blocked in this thread, and
    // so in the new process.
    let tracer = unsafe { libc::clone(trace, stack.add(STACK_BYTES).cast(), flags, argument) };
    if tracer == -1 {
        let what = "a process of its own (clone)";
        let error = errno();
        return (Err(Obstacle::System { what, error }), Duration::ZERO);
    }
    // Where a security module wants it. There is nothing to be done where it fails.
    // SAFETY: the call takes integers.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, tracer) };
    let started = now();
    shared.turn(MAY_TRACE);
    let in_time = wait_for(&shared, tracer, started + budget + GRACE, ask);
    let time = now().saturating_sub(started);
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, 0) };
    if !in_time {
        return (Err(Obstacle::Overtime), time);
    }
    // SAFETY: the process that wrote it has ended.
    (unsafe { *shared.outcome.get() }, time)
}

/// Waits for the tracer's end, and brings that about at the deadline. False if it had to.
fn wait_for(shared: &Shared<'_>, tracer: i32, deadline: Duration, ask: impl FnOnce()) -> bool {
    let mut ask = Some(ask);
    let mut in_time = true;
    loop {
        let step = shared.step.load(Ordering::Acquire);
        if step == STANDING
            && let Some(ask) = ask.take()
        {
            ask();
            shared.turn(ANSWERED);
            continue;
        }
        let mut status = 0;
        let flags = libc::__WALL | if step == DONE { 0 } else { libc::WNOHANG };
        // SAFETY: the call writes to `status`.
        let outcome = unsafe { libc::waitpid(tracer, &raw mut status, flags) };
        if outcome == tracer || (outcome == -1 && errno() != libc::EINTR) {
            return in_time;
        }
        if in_time && now() > deadline {
            // SAFETY: the process is this function's own child, and not waited for yet.
            unsafe { libc::kill(tracer, libc::SIGKILL) };
            in_time = false;
        }
        shared.wait_while(step, LOOK);
    }
}

impl Shared<'_> {
    fn turn(&self, step: u32) {
        self.step.store(step, Ordering::Release);
        // SAFETY: this operation wakes waiters and touches no memory.
        unsafe { libc::syscall(libc::SYS_futex, self.step.as_ptr(), libc::FUTEX_WAKE, 1) };
    }

    /// Waits for the next step of the thread that asked; not for ever, should it be gone.
    fn wait_for_asker(&self, step: u32) -> bool {
        let end = now() + self.budget + GRACE;
        while self.step.load(Ordering::Acquire) == step {
            if now() > end {
                return false;
            }
            self.wait_while(step, LOOK);
        }
        true
    }

    fn wait_while(&self, step: u32, time: Duration) {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: time.subsec_nanos().into(),
        };
        // Past the C library: `errno` is one and the same for the thread that asked and the tracer, and
        // this mostly ends with an error.
        // SAFETY: the word and the time live as long as the call.
        unsafe {
            std::arch::asm!(
                "syscall",
                inlateout("rax") libc::SYS_futex => _,
                in("rdi") self.step.as_ptr(),
                in("rsi") libc::FUTEX_WAIT,
                in("rdx") step,
                in("r10") &raw const time,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
    }
}

/// What the tracer does.
extern "C" fn trace(argument: *mut c_void) -> c_int {
    // SAFETY: `look` passes its variable, which lives longer than this process.
    let shared = unsafe { &*argument.cast::<Shared<'_>>() };
    fall_alone();
    if !end_with(shared.pid) || !shared.wait_for_asker(BORN) {
        return 1;
    }
    // SAFETY: the thread that owns it does not touch it until this process has ended.
    let scan = unsafe { &mut **shared.scan.get() };
    scan.deadline = Some(now() + shared.budget);
    let outcome = stop_and_look(shared, scan);
    // SAFETY: as above.
    unsafe { *shared.outcome.get() = outcome };
    shared.turn(DONE);
    0
}

/// Has the kernel end this process when the thread that asked does, as in a program that exits. False if
/// that has ended already, which has process `pid`.
fn end_with(pid: i32) -> bool {
    // SAFETY: the calls take integers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid() == pid
    }
}

/// A fault in this process ends it alone: no handler of the program's runs, and no core is written.
fn fall_alone() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: all-zero bytes are the action "default". Actions and limits are this process's own.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        let action: libc::sigaction = std::mem::zeroed();
        for signal in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGABRT,
            libc::SIGFPE,
        ] {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

fn stop_and_look(shared: &Shared<'_>, scan: &mut Scan) -> Result<(), Obstacle> {
    stop_all(shared, scan)?;
    for index in 0..scan.threads.len() {
        if scan.threads[index].stands {
            read_registers(shared, scan, index)?;
        }
    }
    shared.turn(STANDING);
    if !shared.wait_for_asker(STANDING) {
        return Err(Obstacle::Overtime);
    }
    scan.look_while_standing()?;
    scan.confirm();
    scan.forget_free();
    Ok(())
}

/// Traces and stops threads until there is none that runs.
fn stop_all(shared: &Shared<'_>, scan: &mut Scan) -> Result<(), Obstacle> {
    loop {
        let known = scan.threads.len();
        list(shared, scan)?;
        if scan.threads.len() == known {
            // All that are known stand, and only one that runs can make others.
            return Ok(());
        }
        for index in known..scan.threads.len() {
            seize(scan, index)?;
        }
        for index in known..scan.threads.len() {
            if scan.threads[index].stands {
                await_stop(scan, index)?;
            }
        }
    }
}

/// Adds threads to the table that are not in it.
fn list(shared: &Shared<'_>, scan: &mut Scan) -> Result<(), Obstacle> {
    let what = "the list of threads";
    let descriptor = scan.files.tasks.as_raw_fd();
    // SAFETY: the call takes integers.
    if unsafe { libc::lseek(descriptor, 0, libc::SEEK_SET) } == -1 {
        let error = errno();
        return Err(Obstacle::System { what, error });
    }
    let mut known = Known {
        threads: scan.threads.len(),
        next: 0,
    };
    loop {
        // SAFETY: the buffer has so many bytes and is used here alone.
        let bytes = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                descriptor,
                shared.listing,
                LISTING_BYTES,
            )
        };
        let Ok(bytes) = usize::try_from(bytes) else {
            let error = errno();
            return Err(Obstacle::System { what, error });
        };
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the kernel has just written so many bytes.
        let listing = unsafe { std::slice::from_raw_parts(shared.listing, bytes) };
        add_listed(listing, scan, &mut known)?;
    }
}

/// The threads of the table that were there before a listing, which mostly come in the same order again.
struct Known {
    threads: usize,
    /// The one to come next.
    next: usize,
}

impl Known {
    fn has(&mut self, threads: &[Thread], number: i32) -> bool {
        let is_it = |thread: &Thread| thread.number == number;
        let known = &threads[..self.threads];
        let found = match known.get(self.next).is_some_and(is_it) {
            true => Some(self.next),
            false => known.iter().position(is_it),
        };
        self.next = found.map_or(self.next, |found| found + 1);
        found.is_some()
    }
}

/// `struct linux_dirent64`: two words, a length, a type, a name.
fn add_listed(listing: &[u8], scan: &mut Scan, known: &mut Known) -> Result<(), Obstacle> {
    let mut at = 0;
    while let Some([low, high]) = listing.get(at + 16..at + 18) {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let mut number = 0i32;
        let name = listing.get(at + 19..at + length).unwrap_or_default();
        for digit in name.iter().take_while(|byte| byte.is_ascii_digit()) {
            number = number
                .wrapping_mul(10)
                .wrapping_add(i32::from(digit - b'0'));
        }
        let is_new = number > 0 && number != scan.asker;
        if is_new && !known.has(&scan.threads, number) {
            let thread = Thread {
                number,
                stands: true,
                stack_pointer: 0,
                descriptor: 0,
            };
            if !scan.threads.push(thread) {
                return Err(Obstacle::Tables);
            }
        }
        if length == 0 {
            break;
        }
        at += length;
    }
    Ok(())
}

fn ptrace(request: libc::c_uint, thread: i32, address: usize, data: usize) -> c_long {
    // SAFETY: requests that write to memory get the address of a live local or of the buffer.
    unsafe {
        libc::syscall(
            libc::SYS_ptrace,
            u64::from(request),
            i64::from(thread),
            address,
            data,
        )
    }
}

fn seize(scan: &mut Scan, index: usize) -> Result<(), Obstacle> {
    let thread = scan.threads[index].number;
    if ptrace(libc::PTRACE_SEIZE, thread, 0, 0) == -1 {
        let error = errno();
        if error == libc::ESRCH || is_dead(scan, thread) {
            scan.threads[index].stands = false;
            return Ok(());
        }
        return Err(Obstacle::NotTraced { thread, error });
    }
    // A thread that is just ending can't be interrupted; its end is reported.
    ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0);
    Ok(())
}

/// Waits until a thread stands, or has ended.
fn await_stop(scan: &mut Scan, index: usize) -> Result<(), Obstacle> {
    let thread = scan.threads[index].number;
    loop {
        let mut status = 0;
        // SAFETY: the call writes to `status`.
        let outcome = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        if outcome == -1 {
            match errno() {
                libc::EINTR => continue,
                _ => return Err(Obstacle::NotStopped { thread }),
            }
        }
        if !libc::WIFSTOPPED(status) {
            scan.threads[index].stands = false;
            return Ok(());
        }
        if status >> 16 == libc::PTRACE_EVENT_STOP {
            return Ok(());
        }
        // A signal is about to be delivered. It takes its course; the stop follows.
        let signal = libc::WSTOPSIG(status);
        if ptrace(libc::PTRACE_CONT, thread, 0, signal as usize) == -1 {
            return Err(Obstacle::NotStopped { thread });
        }
    }
}

/// Whether a thread has ended, and is only waited for.
fn is_dead(scan: &Scan, thread: i32) -> bool {
    let mut path = [0u8; 24];
    let mut digits = 0;
    let mut rest = thread;
    while rest > 0 {
        rest /= 10;
        digits += 1;
    }
    rest = thread;
    for place in path[..digits].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    path[digits..digits + 5].copy_from_slice(b"/stat");
    let mut text = [0u8; 128];
    // SAFETY: the path ends with a zero, and at most so many bytes are written to `text`.
    let read = unsafe {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        let descriptor = libc::openat(scan.files.tasks.as_raw_fd(), path.as_ptr().cast(), flags);
        if descriptor == -1 {
            return errno() == libc::ENOENT;
        }
        let read = libc::read(descriptor, text.as_mut_ptr().cast(), text.len());
        libc::close(descriptor);
        read
    };
    let Ok(read) = usize::try_from(read) else {
        return errno() == libc::ESRCH;
    };
    // The state follows the name, which is in brackets and may hold any byte.
    let text = text.get(..read).unwrap_or_default();
    let state = text
        .iter()
        .rposition(|byte| *byte == b')')
        .and_then(|at| text.get(at + 2));
    matches!(state, Some(b'Z' | b'X'))
}

const NT_PRSTATUS: usize = 1;
const NT_X86_XSTATE: usize = 0x202;

/// Scans a thread's registers, and notes its stack pointer.
fn read_registers(shared: &Shared<'_>, scan: &mut Scan, index: usize) -> Result<(), Obstacle> {
    let thread = scan.threads[index].number;
    let bytes = registers(shared, thread, NT_PRSTATUS)?;
    if bytes < size_of::<libc::user_regs_struct>() {
        return Err(Obstacle::NotStopped { thread });
    }
    // SAFETY: the kernel has just written this record to the buffer, which is aligned to more.
    let general = unsafe { shared.registers.cast::<libc::user_regs_struct>().read() };
    scan.threads[index].stack_pointer = general.rsp;
    scan.threads[index].descriptor = general.fs_base;
    note_words(shared, scan, thread, bytes)?;
    // A function of the C library that makes a system call keeps nothing in vector registers: its caller
    // must not expect that, and what is in them is left from copying and sorting.
    let in_system_call = general.orig_rax.cast_signed() >= 0;
    if in_system_call && shared.library.contains(&general.rip) {
        return Ok(());
    }
    let bytes = registers(shared, thread, NT_X86_XSTATE)?;
    note_words(shared, scan, thread, bytes)
}

/// Reads registers to the buffer; how many bytes.
fn registers(shared: &Shared<'_>, thread: i32, kind: usize) -> Result<usize, Obstacle> {
    let mut place = libc::iovec {
        iov_base: shared.registers.cast(),
        iov_len: REGISTERS_BYTES,
    };
    let address = (&raw mut place).expose_provenance();
    if ptrace(libc::PTRACE_GETREGSET, thread, kind, address) == -1 {
        return Err(Obstacle::NotStopped { thread });
    }
    if place.iov_len >= REGISTERS_BYTES {
        return Err(Obstacle::Tables);
    }
    Ok(place.iov_len)
}

fn note_words(
    shared: &Shared<'_>,
    scan: &mut Scan,
    thread: i32,
    bytes: usize,
) -> Result<(), Obstacle> {
    for word in 0..bytes / 8 {
        // SAFETY: so many bytes were written to the buffer.
        let word = unsafe { shared.registers.cast::<u64>().add(word).read() };
        scan.note(0, thread, word)?;
    }
    Ok(())
}
