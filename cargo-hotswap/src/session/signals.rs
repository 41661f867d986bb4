//! Signals: those meant for the program reach it, and the tool outlives it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// How long a program may take to end when it is asked to.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The program that signals are passed on to; 0 while there is none.
static TARGET: AtomicU32 = AtomicU32::new(0);

/// From now on, signals that end or steer a program are this process's: `tell` is called with each,
/// and those that the program does not get by itself are passed on to it.
///
/// SIGINT and SIGQUIT come from the terminal, which sends them to the program as well: the tool
/// only doesn't end by them, as cargo doesn't.
///
/// # Errors
///
/// The handlers can't be set.
pub fn handle(tell: impl Fn(i32) + Send + 'static) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
        .context("could not handle signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal != SIGINT && signal != SIGQUIT {
                send(TARGET.load(Ordering::SeqCst), signal);
            }
            tell(signal);
        }
    });
    Ok(())
}

/// Whether a signal asks for an end.
pub fn asks_to_end(signal: i32) -> bool {
    [SIGINT, SIGQUIT, SIGTERM, SIGHUP].contains(&signal)
}

/// Passes signals on to this program from now on; to none with 0.
pub fn forward_to(pid: u32) {
    TARGET.store(pid, Ordering::SeqCst);
}

/// Asks a program to end.
pub fn terminate(pid: u32) {
    send(pid, SIGTERM);
}

/// Ends a program.
pub fn kill(pid: u32) {
    send(pid, signal_hook::consts::SIGKILL);
}

fn send(pid: u32, signal: i32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return;
    };
    if pid > 0 {
        // SAFETY: kill takes plain numbers; `pid` is our child, which is not reaped while the
        // loop that calls this runs, so the number can't belong to another process.
        unsafe { libc::kill(pid, signal) };
    }
}
