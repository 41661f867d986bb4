//! Files in memory: without a path, and sealed, so that what was checked is what is mapped.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use hotswap_protocol::manifest::Image;

use super::{ImageError, PIECE_BYTES};

/// A sealed file of these bytes, for the image that is described.
pub(crate) fn in_memory(described: &Image, bytes: &[u8]) -> Result<File, ImageError> {
    sealed(|file| file.write_all_at(bytes, 0))
        .map_err(|error| ImageError::new(&described.path, error))
}

/// The path under which this user's processes find an open file of this one, as long as it is open.
pub(crate) fn path_of(file: &File) -> PathBuf {
    let (pid, descriptor) = (std::process::id(), file.as_raw_fd());
    PathBuf::from(format!("/proc/{pid}/fd/{descriptor}"))
}

/// The same content in a sealed file without a path.
pub(super) fn private_copy(original: &File) -> io::Result<File> {
    sealed(|copy| {
        let mut offset = 0;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let bytes = original.read_at(&mut piece, offset)?;
            if bytes == 0 {
                return Ok(());
            }
            copy.write_all_at(&piece[..bytes], offset)?;
            offset += bytes as u64;
        }
    })
}

/// A file that is filled and sealed.
fn sealed(fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a valid C string.
    let descriptor = unsafe { libc::memfd_create(c"hotswap-image".as_ptr(), flags) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system call has just made this descriptor.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    fill(&file)?;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    // SAFETY: the descriptor is open; this command takes an integer.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}
