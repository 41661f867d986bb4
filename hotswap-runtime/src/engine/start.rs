//! Starts the runtime before `main`, if the tool asks for it through the environment.
//!
//! There is no call for users to make: a pointer in the executable's `.init_array` section has the
//! system run [`before_main`]. rustc keeps `#[used]` statics of every crate that is linked, through
//! a synthetic object that refers to them, so the pointer is there whenever this crate is; a hot
//! build links its rlib as a whole besides. Images never hold a second copy, because this crate is
//! never part of one.
//!
//! Without [`env::LISTEN`] and [`env::RELEASES`] a look at the environment is all that happens, and so it is in a
//! process with more rights than who started it: the environment is not to be trusted there.

use std::ffi::OsString;
use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::panic::catch_unwind;
use std::path::Path;

use hotswap_protocol::env;

use crate::engine::crash;
use crate::engine::handover;
use crate::engine::listen;
use crate::engine::patch;
use crate::engine::process::Process;
use crate::engine::purge;
use crate::engine::release;
#[cfg(feature = "tracing")]
use crate::engine::trace;
use crate::engine::version;
use crate::listen::{Listen, ListenError};
use crate::on_panic::{self, OnPanic};
use crate::on_swap::panic_message;
use crate::sync::{Mutex, lock, prepare_fences};
use crate::third_version::{self, ThirdVersion};

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    // An `extern "C"` function that unwinds ends the process.
    let outcome = catch_unwind(|| {
        let is_set = |name| std::env::var_os(name).is_some();
        if (is_set(env::LISTEN) || is_set(env::RELEASES)) && !has_others_rights() {
            start();
        }
    });
    if let Err(panic) = outcome {
        mem::forget(panic);
    }
}

/// Whether the kernel gave this process rights that who started it does not have: by a set-user-id or set-group-id
/// bit, or by capabilities of the file.
fn has_others_rights() -> bool {
    // SAFETY: `getauxval` has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

fn start() {
    let variables = take_variables();
    let given = |name: &str| {
        let found = variables.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    };
    let get = |name: &str| given(name).map(|value| value.to_string_lossy().into_owned());
    if get(env::LISTEN).as_deref() != Some(env::LISTEN_TOOL) {
        go_over(&variables);
    }
    let for_tool = match get(env::LISTEN).as_deref() {
        Some(env::LISTEN_TOOL) => true,
        Some(env::LISTEN_SIGNED) => false,
        None | Some("" | "0") => return,
        Some(other) => {
            let problem = format!(
                "{} is `{other}`, expected `{}`",
                env::LISTEN,
                env::LISTEN_SIGNED
            );
            return write_quietly(libc::STDERR_FILENO, line(&problem).as_bytes());
        }
    };
    let ready = get(env::READY_FD).and_then(|number| ReadyPipe::adopt(&number));
    let crash = get(env::CRASH_FD).and_then(|number| inherited_pipe(&number));
    prepare_fences();
    let outcome = catch_unwind(|| {
        version::begin();
        if get(env::ON_PANIC).as_deref() == Some(env::ON_PANIC_REVERT) {
            on_panic::set_on_panic(OnPanic::REVERT);
        }
        let policy = get(env::THIRD_VERSION);
        if let Some(policy) = policy.and_then(|word| ThirdVersion::of(&word)) {
            third_version::set_third_version(policy);
        }
        match get(env::PURGE).as_deref() {
            Some(env::PURGE_OFF) => purge::only_when_asked(),
            Some(env::PURGE_CHECKED) => crate::purge::leave_to_checker(),
            _ => {}
        }
        if let Some(descriptor) = crash {
            crash::adopt(descriptor);
        }
        #[cfg(feature = "tracing")]
        trace::begin();
        handover::adopt(get(env::SAVE_FD), get(env::RESTORE_FD));
        let audit = given(env::AUDIT).filter(|path| !path.is_empty());
        audit.map_or(Ok(()), |path| patch::set_audit(Path::new(path)))?;
        let process = Process::new(get(env::NAME), !for_tool);
        listen::start(process).map_err(|error| error.to_string())
    });
    let outcome = outcome.unwrap_or_else(|panic| Err(panic_message(panic)));
    match (outcome, ready) {
        (Ok(()), Some(ready)) => ready.finish(&[env::READY]),
        (Ok(()), None) => {}
        (Err(problem), Some(ready)) => ready.finish(line(&problem).as_bytes()),
        (Err(problem), None) => write_quietly(libc::STDERR_FILENO, line(&problem).as_bytes()),
    }
}

/// Goes over to the release that is permanent, if there is one and this is not it.
fn go_over(variables: &[(OsString, OsString)]) {
    let root = variables.iter().find(|(name, _)| name == env::RELEASES);
    let Some((_, root)) = root.filter(|(_, root)| !root.is_empty()) else {
        return;
    };
    if let Err(problem) = release::go_over(Path::new(root), variables) {
        let text = format!("hotswap: {}\n", problem.replace('\n', " "));
        write_quietly(libc::STDERR_FILENO, text.as_bytes());
    }
}

/// Has a program that runs take signed patch files.
pub(crate) fn on_request(options: Listen) -> Result<(), ListenError> {
    for key in &options.keys {
        patch::add_key(key).map_err(ListenError::Key)?;
    }
    if let Some(path) = &options.audit_log {
        patch::set_audit(path).map_err(ListenError::Audit)?;
    }
    static BEGINNING: Mutex<()> = Mutex::new(());
    let _alone = lock(&BEGINNING);
    if listen::is_listening() {
        return Ok(());
    }
    prepare_fences();
    version::begin();
    #[cfg(feature = "tracing")]
    trace::begin();
    let started = listen::start(Process::new(options.name, true));
    started.map_err(|error| ListenError::Socket(error.to_string()))
}

/// The problem as one line that does not start with [`env::READY`].
fn line(problem: &str) -> String {
    format!(
        "hotswap: this program cannot take patches: {}\n",
        problem.replace('\n', " ")
    )
}

/// Takes all of the tool's variables out of the environment, so that programs started by this one
/// are not taken for it, and sets back what the tool had changed.
fn take_variables() -> Vec<(OsString, OsString)> {
    let ours = |key: &OsString| key.as_encoded_bytes().starts_with(env::PREFIX.as_bytes());
    let variables: Vec<_> = std::env::vars_os().filter(|(key, _)| ours(key)).collect();
    for (key, value) in &variables {
        let before = (key == env::TUNABLES).then_some(value);
        // SAFETY: this runs before `main`, when the program has no thread but this one, unless
        // another initialiser of its own has started one that reads the environment past the
        // standard library's lock; such a program races with its own start-up too.
        unsafe {
            std::env::remove_var(key);
            match before {
                Some(value) if value.is_empty() => std::env::remove_var(env::SYSTEM_TUNABLES),
                Some(value) => std::env::set_var(env::SYSTEM_TUNABLES, value),
                None => {}
            }
        }
    }
    variables
}

/// The inherited pipe on which the tool waits.
struct ReadyPipe {
    descriptor: RawFd,
}

/// The descriptor with this number, if it is an open pipe or socket: the variable may have come
/// from elsewhere, and the number may stand for a file of the program's.
fn inherited_pipe(number: &str) -> Option<RawFd> {
    let descriptor: RawFd = number.parse().ok().filter(|number| *number > 2)?;
    // SAFETY: an all-zero record is a value of the type; the call writes to nothing else.
    let kind = unsafe {
        let mut status: libc::stat = mem::zeroed();
        if libc::fstat(descriptor, &raw mut status) == -1 {
            return None;
        }
        status.st_mode & libc::S_IFMT
    };
    matches!(kind, libc::S_IFIFO | libc::S_IFSOCK).then_some(descriptor)
}

impl ReadyPipe {
    /// Takes the inherited pipe with this number.
    fn adopt(number: &str) -> Option<Self> {
        let descriptor = inherited_pipe(number)?;
        // SAFETY: the descriptor is open; this command takes an integer.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        Some(Self { descriptor })
    }

    fn finish(self, message: &[u8]) {
        write_quietly(self.descriptor, message);
        // SAFETY: the tool made the descriptor for this purpose and gave it away.
        unsafe { libc::close(self.descriptor) };
    }
}

/// Writes what can be written at once, whatever the outcome: nobody may be left to read it, and
/// then the signal that comes of it must not end the program.
fn write_quietly(descriptor: RawFd, message: &[u8]) {
    // SAFETY: all-zero signal sets are values of the type, every pointer is to a live local, and
    // the message is as long as said. A signal that was pending before is left pending.
    unsafe {
        let mut pipe: libc::sigset_t = mem::zeroed();
        let mut before: libc::sigset_t = mem::zeroed();
        let mut pending: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before);
        let written = libc::write(descriptor, message.as_ptr().cast(), message.len());
        let broken =
            written == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPIPE);
        if broken && libc::sigismember(&raw const pending, libc::SIGPIPE) == 0 {
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            libc::sigtimedwait(&raw const pipe, std::ptr::null_mut(), &raw const now);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
}
