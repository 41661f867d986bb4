//! Signals and job control: program and tool look like one process to a terminal and a shell.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpgrp, getpid, getsid, kill_process, waitid,
    waitpid,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

/// How long a program may take to end when it is asked to.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Signals that end, steer or continue a program.
const HANDLED: [Signal; 7] = [
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::CONT,
];

/// The program that signals are passed on to, as long as its number is its own.
static TARGET: Mutex<Option<Pid>> = Mutex::new(None);

/// Whether somebody has asked this process to end that does something before.
static ASKED: AtomicBool = AtomicBool::new(false);

fn target() -> MutexGuard<'static, Option<Pid>> {
    TARGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes signals on to this program, until [`take_end`] has taken its end.
pub fn forward_to(pid: u32) {
    *target() = Pid::from_raw(pid.cast_signed());
}

/// From now on, signals that end or steer a program are this process's: `tell` is called with
/// each.
///
/// A signal of the terminal's reaches the program as well as the tool, which only doesn't end by
/// it. One that somebody sent to the tool is meant for the program.
///
/// # Errors
///
/// The handlers can't be set.
pub fn handle(tell: impl Fn(i32) + Send + 'static) -> Result<()> {
    // What is ignored is ignored by the program too, as under `nohup`; a handler would undo that
    // for programs that are started later.
    let ignored = ignored_signals();
    let wanted = HANDLED.map(Signal::as_raw).into_iter();
    let wanted = wanted.filter(|signal| !ignored.contains(signal));
    let mut signals = SignalsInfo::<WithOrigin>::new(wanted).context("could not handle signals")?;
    let had_terminal = has_terminal();
    thread::spawn(move || {
        for origin in signals.forever() {
            let signal = HANDLED
                .into_iter()
                .find(|one| one.as_raw() == origin.signal);
            match signal {
                Some(Signal::CONT) => continue_program(),
                Some(signal) if !from_terminal(&origin) => send(signal),
                _ => {}
            }
            if signal == Some(Signal::HUP) && had_terminal && !has_terminal() {
                end_without_terminal();
            }
            tell(origin.signal);
        }
    });
    Ok(())
}

/// From now on, this process does this before it ends when it is asked to, by Ctrl-C for instance, holds what comes of
/// it, and does nothing else behind [`go_on`].
///
/// # Errors
///
/// As those of [`handle`].
pub fn before_end<T>(act: impl Fn() -> T + Send + 'static) -> Result<()> {
    handle(move |signal| {
        if asks_to_end(signal) {
            ASKED.store(true, Ordering::SeqCst);
            let _held = act();
            end_by(signal);
        }
    })
}

/// Returns if this process goes on. If it was asked to end, nothing else should be said or done about what ended
/// therefore.
pub fn go_on() {
    while ASKED.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// Whether a signal asks for an end.
pub fn asks_to_end(signal: i32) -> bool {
    [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP]
        .iter()
        .any(|one| one.as_raw() == signal)
}

/// Whether the kernel sent it, to all processes in the foreground of the terminal. That a terminal
/// is closed is told to the leader of its session alone.
fn from_terminal(origin: &Origin) -> bool {
    let leads = || getsid(None) == Ok(getpid());
    let alone = origin.signal == Signal::HUP.as_raw() && leads();
    matches!(origin.cause, Cause::Kernel) && !alone
}

/// A program that doesn't end when its terminal is closed would be left without anybody who
/// could reach it.
fn end_without_terminal() {
    thread::spawn(|| {
        for signal in [Signal::TERM, Signal::KILL] {
            thread::sleep(PATIENCE);
            send(signal);
        }
    });
}

/// Whether there is a terminal that controls this process.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// The signals that this process was told to ignore when it was started.
fn ignored_signals() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.unwrap_or(0);
    (1..=64)
        .filter(|signal| mask >> (signal - 1) & 1 == 1)
        .collect()
}

/// Waits for the end of a program that this process started, and leaves it to [`take_end`], so
/// that the number stays the program's. Where the program stops, so does the tool: the shell sees
/// its job stopped, whoever stopped it, and continues both.
///
/// # Errors
///
/// The process is no child of this one.
pub fn wait_for_end(pid: u32) -> io::Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) if status.stopped() => {
                waitid(
                    WaitId::Pid(pid),
                    WaitIdOptions::STOPPED | WaitIdOptions::NOHANG,
                )?;
                stop_as_well(pid);
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes the end of a program that this process started, once it has ended: its number may be
/// another's from now on, and signals are passed on no more.
///
/// # Errors
///
/// The process is no child of this one.
pub fn take_end(pid: u32) -> io::Result<ExitStatus> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    let mut target = target();
    let ended = loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            ended => break ended?,
        }
    };
    *target = None;
    let (_, status) = ended.ok_or(io::ErrorKind::NotFound)?;
    Ok(ExitStatus::from_raw(status.as_raw()))
}

/// Stops this process, if a shell has it in the foreground. It may have been stopped with the
/// program by one key: then it is continued by now, and so is the program.
fn stop_as_well(program: Pid) {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else {
        return;
    };
    let foreground = rustix::termios::tcgetpgrp(&terminal);
    if foreground == Ok(getpgrp()) && is_stopped(program) {
        // Without effect where no shell could continue it.
        let _ = kill_process(getpid(), Signal::TSTP);
    }
}

/// Continues the program where only the tool was continued.
fn continue_program() {
    if target().is_some_and(is_stopped) {
        send(Signal::CONT);
    }
}

fn is_stopped(pid: Pid) -> bool {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The name before may contain anything, spaces and parentheses too.
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    state.starts_with('T')
}

/// Asks the program to end.
pub fn terminate(pid: u32) {
    send_to(pid, Signal::TERM);
}

/// Ends the program.
pub fn kill(pid: u32) {
    send_to(pid, Signal::KILL);
}

fn send_to(pid: u32, signal: Signal) {
    if target().is_some_and(|target| target.as_raw_pid() == pid.cast_signed()) {
        send(signal);
    }
}

fn send(signal: Signal) {
    let target = target();
    if let Some(pid) = *target {
        // It may have ended, but its number is not another's yet.
        let _ = kill_process(pid, signal);
    }
}

/// Ends this process as the program ended, so that a shell says and does the same: a loop of its
/// own ends at Ctrl-C, for instance. Returns where that can't be done.
pub fn end_by(signal: i32) {
    // The program's memory was dumped, if that was asked for; the tool's helps nobody.
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}
