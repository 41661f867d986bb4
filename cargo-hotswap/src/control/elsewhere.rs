//! Where a process listens that has other folders than this one: one of another user, or in a container. They are
//! reached through its own root, as `/proc` shows it.
//!
//! Nothing there is trusted but what the kernel says: whoever answers has to be that process.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use hotswap_protocol::{address, users};
use rustix::fs::{Mode, OFlags};

/// What of a process decides about its sockets.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    /// Its number in its own namespace.
    pid: u32,
    /// Its user, in its own namespace.
    user: u32,
    /// Its runtime directory, as it was started.
    runtime_dir: Option<OsString>,
}

/// A socket that the process may listen at.
#[derive(Debug)]
pub struct Socket {
    folder: OwnedFd,
    name: String,
}

impl Socket {
    /// A path to it, as short as that of a socket has to be.
    pub fn path(&self) -> PathBuf {
        let folder = self.folder.as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{folder}/{}", self.name))
    }
}

/// The sockets that the process with this number may listen at. None if it is not there, or is not for this user to see.
pub fn sockets(pid: u32) -> Vec<Socket> {
    let Some((folders, name)) = places(pid) else {
        return Vec::new();
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |folder: PathBuf| {
        let folder = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
        let name = name.clone();
        Some(Socket { folder, name })
    };
    folders.into_iter().filter_map(open).collect()
}

/// The folders, as they are seen from here, and the name of the socket in them.
fn places(pid: u32) -> Option<(Vec<PathBuf>, String)> {
    let proc = Path::new("/proc").join(pid.to_string());
    let process = look(&proc)?;
    let folders = address::socket_directories(process.runtime_dir.as_deref(), process.user);
    let seen = |folder: PathBuf| Some(proc.join("root").join(folder.strip_prefix("/").ok()?));
    let folders = folders.into_iter().filter_map(seen).collect();
    Some((folders, address::socket_name(process.pid)))
}

fn look(proc: &Path) -> Option<Process> {
    let read = |file: &str| fs::read_to_string(proc.join(file)).ok();
    let namespace = |proc: &Path| fs::read_link(proc.join("ns/user")).ok();
    // Where both are in one, the map says what the numbers are in the one around it.
    let map = match namespace(proc) == namespace(Path::new("/proc/self")) {
        true => None,
        false => Some(read("uid_map")?),
    };
    process(
        &read("status")?,
        map.as_deref(),
        &fs::read(proc.join("environ")).ok()?,
    )
}

/// The process with this `status`, whose users have other numbers by this map, if they have.
fn process(status: &str, map: Option<&str>, environ: &[u8]) -> Option<Process> {
    let numbers = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace()
            .map(|word| word.parse().ok())
            .collect::<Option<Vec<u32>>>()
    };
    // Real, effective, saved, and that for files.
    let user = *numbers("Uid:")?.get(1)?;
    let variable = |entry: &[u8]| {
        let value = entry.strip_prefix(address::RUNTIME_DIR_VARIABLE.as_bytes())?;
        Some(OsStr::from_bytes(value.strip_prefix(b"=")?).to_owned())
    };
    Some(Process {
        // From the outermost namespace that is seen from here to its own.
        pid: *numbers("NSpid:")?.last()?,
        user: match map {
            Some(map) => users::inside(user, map)?,
            None => user,
        },
        runtime_dir: environ.split(|byte| *byte == 0).find_map(variable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_read_as_the_process_sees_it() {
        let status = "Name:\tweb\nUid:\t1000\t1001\t1000\t1000\nNSpid:\t4711\t7\t2\n";
        let environ = b"HOME=/root\0XDG_RUNTIME_DIRS=/no\0XDG_RUNTIME_DIR=/run/user/0\0";
        let read = |status: &str, map, environ: &[u8]| {
            let found = process(status, map, environ)?;
            Some((found.pid, found.user, found.runtime_dir))
        };
        let there = Some(OsString::from("/run/user/0"));
        for (status, map, environ, expected) in [
            (status, None, &environ[..], Some((2, 1001, there.clone()))),
            (status, Some("0 1000 2\n"), environ, Some((2, 1, there))),
            (status, Some("0 1000 1\n"), environ, None),
            (status, None, b"", Some((2, 1001, None))),
            (
                "Uid:\t0\t0\t0\t0\nNSpid:\t9\n",
                None,
                b"",
                Some((9, 0, None)),
            ),
            ("Uid:\t0\t0\t0\t0\n", None, b"", None),
            ("Uid:\tx\nNSpid:\t9\n", None, b"", None),
        ] {
            assert_eq!(read(status, map, environ), expected, "{status} {map:?}");
        }
    }

    #[test]
    fn this_process_would_listen_where_it_looks() {
        let here = crate::control::place::directories();
        let root = PathBuf::from(format!("/proc/{}/root", std::process::id()));
        let below = |folder: PathBuf| root.join(folder.strip_prefix("/").unwrap());
        let folders = here.into_iter().map(below).collect();
        let name = address::socket_name(std::process::id());
        assert_eq!(places(std::process::id()), Some((folders, name)));
        assert_eq!(places(u32::MAX), None);
    }
}
