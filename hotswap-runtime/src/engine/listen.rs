//! The control socket: where it lies, who may connect, and the threads that serve it.

use std::ffi::CString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use hotswap_protocol::address;
use hotswap_protocol::frame;
use hotswap_protocol::message::{ErrorCode, Response};
use hotswap_protocol::users;

use crate::engine::control::{Failure, LIMITS, Service};
use crate::engine::fork::{self, Place};
use crate::engine::process::Process;
use crate::purge;
use crate::sync::{AtomicU32, Ordering};

/// The pause before another attempt to accept when the system is short of something.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// The lowest descriptor that does not stand for standard input, output or error.
const FIRST_DESCRIPTOR: RawFd = 3;

/// Whether this process takes control connections. False in forked children.
static LISTENING: AtomicU32 = AtomicU32::new(0);

/// The socket's path and the process that made it.
static SOCKET: OnceLock<(CString, u32)> = OnceLock::new();

/// What answers connections. It lives as long as the process: connections outlast the listening
/// thread.
static SERVICE: OnceLock<Service<Process>> = OnceLock::new();

/// What answers connections; none in a process that takes no patches, or a forked child of one.
pub(crate) fn service() -> Option<&'static Service<Process>> {
    let (_, owner) = SOCKET.get()?;
    SERVICE.get().filter(|_| *owner == std::process::id())
}

/// Why the program does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ListenError {
    #[error("socket directory `{}`: {error}", path.display())]
    Directory { path: PathBuf, error: io::Error },
    #[error("socket directory `{}` {problem}", path.display())]
    NotPrivate {
        path: PathBuf,
        problem: &'static str,
    },
    #[error("socket `{}`: {error}", path.display())]
    Socket { path: PathBuf, error: io::Error },
    #[error("socket `{}` is in use by another program of the same process id", path.display())]
    Taken { path: PathBuf },
    #[error(
        "in this process's user namespace, users without a number have that of its own, {user}, so it can't tell who may \
         talk to it: run it as a user that has a number of its own"
    )]
    Unknown { user: u32 },
    #[error("this process has listened before, or was forked from one that does")]
    Again,
    #[error("thread: {0}")]
    Thread(io::Error),
}

/// Whether this process takes control connections.
pub(crate) fn is_listening() -> bool {
    LISTENING.load(Ordering::Acquire) != 0
}

/// Called in a forked child, where only async-signal-safe calls are allowed.
pub(crate) fn stop_in_child() {
    LISTENING.store(0, Ordering::Release);
}

/// Binds the socket and serves it from a thread of its own.
pub(crate) fn start(process: Process) -> Result<(), ListenError> {
    if SOCKET.get().is_some() {
        return Err(ListenError::Again);
    }
    let (listener, path) = bind()?;
    let own = address_of(&listener).unwrap_or_default();
    if let Ok(path) = CString::new(path.as_os_str().as_bytes()) {
        SOCKET.get_or_init(|| (path, std::process::id()));
    }
    let service = SERVICE.get_or_init(|| Service::new(process, LIMITS));
    let place = Place::take(&listener);
    fork::watch();
    // SAFETY: this is a function of this executable, which is never unloaded, with the type asked
    // for.
    unsafe { libc::atexit(at_exit) };
    LISTENING.store(1, Ordering::Release);
    learn();
    let spawned = with_signals_blocked(|| {
        thread::Builder::new()
            .name("hotswap".to_owned())
            .spawn(move || {
                accept(&listener, &own, service);
                stop();
                drop(place);
                // The number may stand for another file by now: it is not ours to close.
                std::mem::forget(listener);
            })
    });
    match spawned {
        Ok(_) => Ok(()),
        Err(error) => {
            stop();
            Err(ListenError::Thread(error))
        }
    }
}

/// Finds out what a purge has to know, on a thread with a heap that hardly another one uses yet. It opens files, and
/// programs close what is not theirs, above all when they begin: so it is waited for.
fn learn() {
    let builder = thread::Builder::new().name("hotswap".to_owned());
    if let Ok(thread) = with_signals_blocked(|| builder.spawn(purge::learn)) {
        // Without what it would tell, fewer versions leave memory.
        let _ = thread.join();
    }
}

/// Runs `f` with every signal blocked in this thread, which threads started in it inherit: the
/// program's handlers run on the program's own threads.
pub(crate) fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: an all-zero signal set is a value of the type, and both calls get valid pointers.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = f();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        result
    }
}

/// The first directory that can be used decides.
fn bind() -> Result<(UnixListener, PathBuf), ListenError> {
    let user = user();
    let (map, overflow) = (
        fs::read_to_string(users::OWN_MAP).ok(),
        fs::read_to_string(users::OVERFLOW),
    );
    if users::stands_for_others(user, map.as_deref(), &overflow.unwrap_or_default()) {
        return Err(ListenError::Unknown { user });
    }
    let runtime_dir = std::env::var_os(address::RUNTIME_DIR_VARIABLE);
    let mut first_error = None;
    for directory in address::socket_directories(runtime_dir.as_deref(), user) {
        match bind_in(&directory, user) {
            Ok(bound) => return Ok(bound),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| ListenError::Thread(io::ErrorKind::NotFound.into())))
}

/// Binds under a temporary name and renames, so that whoever finds the socket finds it listening: a
/// socket that refuses is a leftover, and the tool may remove it.
fn bind_in(directory: &Path, user: u32) -> Result<(UnixListener, PathBuf), ListenError> {
    private_directory(directory, user)?;
    let pid = std::process::id();
    let path = directory.join(address::socket_name(pid));
    // A process in another pid namespace may share the directory.
    if UnixStream::connect(&path).is_ok() {
        return Err(ListenError::Taken { path });
    }
    let new = directory.join(format!("{pid}.new"));
    let socket = |error| ListenError::Socket {
        path: path.clone(),
        error,
    };
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(socket(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(socket)?;
    let published = fs::set_permissions(&new, Permissions::from_mode(0o600))
        .and_then(|()| above_standard(listener.into()))
        .and_then(|descriptor| fs::rename(&new, &path).map(|()| descriptor));
    match published {
        Ok(descriptor) => Ok((descriptor.into(), path)),
        Err(error) => {
            let _ = fs::remove_file(&new);
            Err(socket(error))
        }
    }
}

/// Makes the directory if it is not there, and checks that it is the user's own and private.
fn private_directory(directory: &Path, user: u32) -> Result<(), ListenError> {
    let failed = |error| ListenError::Directory {
        path: directory.to_owned(),
        error,
    };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(directory).map_err(failed)?;
    let problem = if !metadata.is_dir() {
        "is no directory"
    } else if metadata.uid() != user {
        "belongs to another user"
    } else if metadata.mode() & 0o077 != 0 {
        "is open to others: its mode must be 700"
    } else {
        return Ok(());
    };
    Err(ListenError::NotPrivate {
        path: directory.to_owned(),
        problem,
    })
}

/// The same open file under a descriptor that is none of the standard ones, which a program may be
/// started without.
fn above_standard(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= FIRST_DESCRIPTOR {
        return Ok(descriptor);
    }
    // SAFETY: the descriptor is open; this command takes an integer.
    let moved = unsafe {
        libc::fcntl(
            descriptor.as_raw_fd(),
            libc::F_DUPFD_CLOEXEC,
            FIRST_DESCRIPTOR,
        )
    };
    if moved == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system call has just made this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// The listening thread; `own` is the path that the socket was made under.
fn accept(listener: &UnixListener, own: &Path, service: &'static Service<Process>) {
    // The program may close descriptors that are not its own, and open others under their numbers.
    while address_of(listener).as_deref() == Some(own) {
        match listener.accept() {
            Ok((stream, _)) => admit(stream, service),
            Err(error) if is_shortage(&error) => thread::sleep(SHORTAGE_PAUSE),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => break,
        }
    }
}

/// The path that a socket was made under.
fn address_of(listener: &UnixListener) -> Option<PathBuf> {
    Some(listener.local_addr().ok()?.as_pathname()?.to_owned())
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// Gives a new connection a thread, or the reason why not.
fn admit(stream: UnixStream, service: &'static Service<Process>) {
    if stream.set_write_timeout(Some(SHORTAGE_PAUSE)).is_err() {
        return;
    }
    if !is_own_user(&stream) {
        let text = "this program belongs to another user";
        return refuse(&stream, Failure::new(ErrorCode::NotAllowed, text));
    }
    let Some(place) = Place::take(&stream) else {
        return refuse(
            &stream,
            Failure::new(ErrorCode::Busy, "too many connections"),
        );
    };
    let serve = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| service.serve(&stream)));
        drop(place);
        drop(stream);
        if let Err(panic) = outcome {
            std::mem::forget(panic);
        }
    };
    // If there is no thread to be had, the client sees its connection closed.
    let _ = thread::Builder::new()
        .name("hotswap-client".to_owned())
        .spawn(serve);
}

fn refuse(stream: &UnixStream, failure: Failure) {
    let _ = frame::write(&mut &*stream, &Response::from(failure));
}

/// The user that this process acts for.
pub(crate) fn user() -> u32 {
    // SAFETY: `geteuid` has no preconditions.
    unsafe { libc::geteuid() }
}

/// Who is at the other end, as the kernel tells it.
pub(crate) fn peer(stream: &UnixStream) -> Option<libc::ucred> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut bytes = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is a socket, and the option writes at most `bytes` bytes to `peer`.
    let outcome = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut bytes,
        )
    };
    (outcome == 0).then_some(peer)
}

/// Whether the peer runs as this process's user or as root.
fn is_own_user(stream: &UnixStream) -> bool {
    peer(stream).is_some_and(|peer| peer.uid == 0 || peer.uid == user())
}

extern "C" fn at_exit() {
    if is_listening() {
        remove_socket();
    }
}

fn stop() {
    LISTENING.store(0, Ordering::Release);
    remove_socket();
}

/// Removes the socket, unless this is a child of the process that made it.
fn remove_socket() {
    if let Some((path, owner)) = SOCKET.get()
        && *owner == std::process::id()
    {
        // SAFETY: the path is a valid C string.
        unsafe { libc::unlink(path.as_ptr()) };
    }
}

#[cfg(test)]
mod tests;
