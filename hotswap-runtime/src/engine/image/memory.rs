//! Files without a path, so that what was checked is what is mapped: in memory and sealed, where that may be
//! executed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::ptr;

use hotswap_protocol::address;
use hotswap_protocol::manifest::Image;

use super::{ImageError, PIECE_BYTES};

/// A sealed file of these bytes, for the image that is described.
pub(crate) fn in_memory(described: &Image, bytes: &[u8]) -> Result<File, ImageError> {
    sealed(|file| file.write_all_at(bytes, 0))
        .map_err(|error| ImageError::no_place(&described.path, error))
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

/// How often a file is made that the kernel does not seal.
const TRIES: usize = 5;

/// A file that is filled and sealed.
fn sealed(fill: impl Fn(&File) -> io::Result<()>) -> io::Result<File> {
    sealed_by(fill, seal)
}

fn sealed_by(
    fill: impl Fn(&File) -> io::Result<()>,
    seal: impl Fn(&File) -> io::Result<()>,
) -> io::Result<File> {
    let mut tries = 1;
    loop {
        let file = match in_no_folder() {
            // `vm.memfd_noexec` is 2: what is mapped as code has to be in a folder.
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                return unlinked(folders(), &fill).map_err(|tried| nowhere(&tried));
            }
            made => made?,
        };
        fill(&file)?;
        match seal(&file) {
            Ok(()) => return Ok(file),
            // Nobody has mapped it, but the kernel may be about to move one of its pages, which is seen where
            // memory is short. Those of another file are other pages.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// From now on nobody can write to a file in memory, or change its length.
fn seal(file: &File) -> io::Result<()> {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    // SAFETY: the descriptor is open; this command takes an integer.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A file in memory that may be mapped as code.
fn in_no_folder() -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Linux before 6.3 does not know that they may not.
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for flags in [flags | libc::MFD_EXEC, flags] {
        // SAFETY: the name is a valid C string. The descriptor is one that the system call has just made.
        let made = unsafe {
            let descriptor = libc::memfd_create(c"hotswap-image".as_ptr(), flags);
            (descriptor != -1).then(|| OwnedFd::from_raw_fd(descriptor))
        };
        if let Some(descriptor) = made {
            return Ok(File::from(descriptor));
        }
        last = io::Error::last_os_error();
        if last.raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    Err(last)
}

/// Where code can be put that may not stand in memory.
fn folders() -> impl Iterator<Item = PathBuf> {
    let runtime = std::env::var_os(address::RUNTIME_DIR_VARIABLE).map(PathBuf::from);
    let folders = ["/dev/shm", "/run"].map(PathBuf::from);
    let own = std::env::current_exe().ok();
    let own = own.and_then(|own| own.parent().map(PathBuf::from));
    runtime
        .into_iter()
        .chain([std::env::temp_dir()])
        .chain(folders)
        .chain(own)
}

/// A file that has no name, filled, in the first of these folders whose files may be mapped as code; without any, why
/// not in each of them. It can't be sealed: who can open it, by way of this process's descriptors, could also change
/// this process's memory.
fn unlinked(
    folders: impl Iterator<Item = PathBuf>,
    fill: impl Fn(&File) -> io::Result<()>,
) -> Result<File, Vec<(PathBuf, io::Error)>> {
    let mut tried = Vec::new();
    for folder in folders {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o500)
            .custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC)
            .open(&folder);
        let filled = opened.and_then(|file| fill(&file).map(|()| file));
        match filled.and_then(|file| may_be_code(&file).map(|()| file)) {
            Ok(file) => return Ok(file),
            Err(error) => tried.push((folder, error)),
        }
    }
    Err(tried)
}

/// Neither memory nor any of these folders can hold code.
fn nowhere(tried: &[(PathBuf, io::Error)]) -> io::Error {
    let tried = tried
        .iter()
        .map(|(folder, error)| format!("{} ({error})", folder.display()));
    let text = format!(
        "there is no place for its code that may be executed: not memory, since `vm.memfd_noexec` is 2, and none of \
         these folders: {}. Start the program with {} set to a folder of its user's on a mount without `noexec`, or set \
         `vm.memfd_noexec` to 1 or 0",
        tried.collect::<Vec<_>>().join(", "),
        address::RUNTIME_DIR_VARIABLE
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Whether a file with content may be mapped as code, which is up to the mount that it is in.
fn may_be_code(file: &File) -> io::Result<()> {
    let (protection, length) = (libc::PROT_READ | libc::PROT_EXEC, 1);
    let (flags, descriptor) = (libc::MAP_PRIVATE, file.as_raw_fd());
    // SAFETY: a new mapping, which nobody uses.
    unsafe {
        let mapped = libc::mmap(ptr::null_mut(), length, protection, flags, descriptor, 0);
        if mapped == libc::MAP_FAILED || libc::munmap(mapped, length) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn both_kinds_hold_their_content_and_may_be_code() {
        let fill = |file: &File| file.write_all_at(b"content", 0);
        for file in [sealed(fill).unwrap(), unlinked(folders(), fill).unwrap()] {
            assert_eq!(std::fs::read(path_of(&file)).unwrap(), b"content");
            may_be_code(&file).unwrap();
        }
        if let Ok(file) = in_no_folder() {
            drop(file);
            let sealed = sealed(fill).unwrap();
            assert!(sealed.write_all_at(b"other", 0).is_err());
        }
    }

    #[test]
    fn what_the_kernel_does_not_seal_is_made_again() {
        let Ok(file) = in_no_folder() else {
            return;
        };
        drop(file);
        let of_so_many = |busy: usize, code: i32| {
            let tries = Cell::new(0);
            let fill = |file: &File| file.write_all_at(b"content", 0);
            let made = sealed_by(fill, |file| {
                tries.set(tries.get() + 1);
                match tries.get() <= busy {
                    true => Err(io::Error::from_raw_os_error(code)),
                    false => seal(file),
                }
            });
            let made = made.map(|file| std::fs::read(path_of(&file)).unwrap());
            let made = made.map_err(|error| error.raw_os_error().unwrap());
            (made, tries.get())
        };
        let content = Ok(b"content".to_vec());
        assert_eq!(of_so_many(TRIES - 1, libc::EBUSY), (content, TRIES));
        assert_eq!(of_so_many(TRIES, libc::EBUSY), (Err(libc::EBUSY), TRIES));
        assert_eq!(of_so_many(1, libc::EPERM), (Err(libc::EPERM), 1));
    }

    #[test]
    fn where_there_is_no_place_for_code_each_is_named() {
        let folders = ["/nowhere", "/proc"].map(PathBuf::from);
        let tried = unlinked(folders.into_iter(), |_| Ok(())).unwrap_err();
        let text = nowhere(&tried).to_string();
        for part in [
            "`vm.memfd_noexec` is 2",
            "/nowhere (No such file or directory (os error 2)), /proc (",
            "Start the program with XDG_RUNTIME_DIR set",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
