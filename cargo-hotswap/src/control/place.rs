//! The private folder of sockets: made, checked, listed; and who is at the other end.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_protocol::{address, users};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

/// The folders in which programs and tools of this user have their sockets.
pub fn directories() -> Vec<PathBuf> {
    let runtime_dir = std::env::var_os(address::RUNTIME_DIR_VARIABLE);
    address::socket_directories(runtime_dir.as_deref(), own_user())
}

/// Those of them that are there and this user's alone: what lies in another's folder is not to be
/// trusted.
pub fn private_directories() -> Vec<PathBuf> {
    let own = |folder: &PathBuf| check_private(folder).is_ok();
    directories().into_iter().filter(own).collect()
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the folder is the user's own and closed to others.
fn check_private(folder: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        bail!("it is no directory");
    }
    if metadata.uid() != own_user() {
        bail!("it belongs to another user");
    }
    if metadata.mode() & 0o077 != 0 {
        bail!("it is open to others: its mode must be 700");
    }
    Ok(())
}

/// Makes the folder if it is not there, and checks it.
fn private(folder: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    check_private(folder)
}

/// A listening socket. Its file is removed with it.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// Listens under this name in the first folder that can be used.
    ///
    /// # Errors
    ///
    /// None of them can.
    pub fn take(name: &str) -> Result<(Self, UnixListener)> {
        let (map, overflow) = (
            fs::read_to_string(users::OWN_MAP).ok(),
            fs::read_to_string(users::OVERFLOW),
        );
        if users::stands_for_others(own_user(), map.as_deref(), &overflow.unwrap_or_default()) {
            bail!(
                "users without a number in this user namespace can't be told from this process's own"
            );
        }
        let mut problem = None;
        for folder in directories() {
            match Self::take_in(&folder, name) {
                Ok(taken) => return Ok(taken),
                Err(error) => {
                    let error = error.context(format!("socket directory `{}`", folder.display()));
                    problem = problem.or(Some(error));
                }
            }
        }
        Err(problem.context("there is no folder for sockets")?)
    }

    /// Binds under a temporary name and renames, so that whoever finds the socket finds it
    /// listening: one that refuses is a leftover.
    fn take_in(folder: &Path, name: &str) -> Result<(Self, UnixListener)> {
        private(folder)?;
        let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
        remove(&new)?;
        let listener = UnixListener::bind(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        fs::rename(&new, &path)?;
        Ok((Self { path }, listener))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Should it fail, the next to look finds a socket that refuses, and removes it.
        let _ = remove(&self.path);
    }
}

/// Removes a file, if it is there.
///
/// # Errors
///
/// It is there and can't be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Who is at the other end of a connection, as the kernel tells it: of a socket that listens, who had it listen.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The user that it acts for, in this process's namespace.
    user: u32,
    /// Its process id in this process's namespace; none if it has none here.
    pub pid: Option<u32>,
}

impl Peer {
    /// The one at the other end of this; none if the kernel does not tell.
    pub fn of(stream: &UnixStream) -> Option<Self> {
        let peer = getsockopt(stream, PeerCredentials).ok()?;
        Some(Self {
            user: peer.uid(),
            pid: u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0),
        })
    }

    /// Whether it may talk to this process: it runs as the same user, or as root.
    pub fn is_own(self) -> bool {
        allowed(self.user, own_user())
    }
}

/// Whether a peer of user `peer` may talk to a process of user `own`.
fn allowed(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::{Peer, Place, allowed, private};

    #[test]
    fn only_the_user_and_root_may_talk() {
        for (peer, own, expected) in [
            (1000, 1000, true),
            (0, 1000, true),
            (1001, 1000, false),
            (1000, 0, false),
            (0, 0, true),
        ] {
            assert_eq!(allowed(peer, own), expected, "{peer} {own}");
        }
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert!(peer.is_own() && peer.pid == Some(std::process::id()));
    }

    #[test]
    fn folders_of_others_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("hotswap");
        private(&inside).unwrap();
        private(&inside).unwrap();
        let mode = fs::metadata(&inside).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::set_permissions(&inside, Permissions::from_mode(0o755)).unwrap();
        let error = private(&inside).unwrap_err().to_string();
        assert_eq!(error, "it is open to others: its mode must be 700");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(private(&link).is_err());
    }

    #[test]
    fn a_socket_goes_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("hotswap");
        let (place, _listener) = Place::take_in(&inside, "7.tool").unwrap();
        let path = inside.join("7.tool");
        assert!(UnixStream::connect(&path).is_ok());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(place);
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
    }
}
