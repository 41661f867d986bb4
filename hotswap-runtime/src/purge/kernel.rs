//! What is asked of the kernel: which pages there are and were written, their content, write tracking.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::arena::Plain;

/// Writes to the page are tracked.
pub(super) const TRACKED: u64 = 1;
/// The page was written since it was last looked at, or is not tracked.
pub(super) const WRITTEN: u64 = 1 << 1;
/// The page is its file's.
pub(super) const OF_FILE: u64 = 1 << 2;
pub(super) const PRESENT: u64 = 1 << 3;
pub(super) const SWAPPED: u64 = 1 << 4;
/// The page is the one that is all zeroes.
pub(super) const ZERO: u64 = 1 << 5;
/// The page is a guard: there is nothing, and whoever reads it gets a fault. It counts as swapped too.
pub(super) const GUARD: u64 = 1 << 8;

/// `PAGEMAP_SCAN` of `<linux/fs.h>`.
const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;
const WRITE_PROTECT_MATCHING: u64 = 1;
const CHECK_TRACKED: u64 = 2;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// Pages that have the same properties; `struct page_region`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) properties: u64,
}

// SAFETY: integers.
unsafe impl Plain for Pages {}

/// Which pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Those written since they were last looked at. From now on they count as not written.
    WrittenAndTrack,
    /// Those written since they were last looked at, and all that are not tracked.
    Unknown,
    /// Those written since, and with them some that are not there. The kernel answers this forty times as
    /// fast as the others, and right since [`SOUND_WRITTEN`]. Where nothing is tracked it is an error, `EPERM`.
    Written,
}

/// The properties that this kernel tells of pages. Guards are told since Linux 6.16; there are some since
/// 6.13. `page` is the address of any page.
pub(super) fn properties(pagemap: &File, page: u64) -> u64 {
    let properties = TRACKED | WRITTEN | OF_FILE | PRESENT | SWAPPED | ZERO;
    let all = properties | GUARD;
    let mut found = [Pages {
        start: 0,
        end: 0,
        properties: 0,
    }];
    let answer = pages(pagemap, (Ask::Unknown, all), page, page + 4096, &mut found);
    match answer {
        Ok(_) => all,
        Err(_) => properties,
    }
}

/// Fills `found` with pages between `start` and `end`, and their `properties`. Gives how many entries
/// there are, and where to go on.
pub(super) fn pages(
    pagemap: &File,
    (ask, properties): (Ask, u64),
    start: u64,
    end: u64,
    found: &mut [Pages],
) -> Result<(usize, u64), i32> {
    let mut arguments = ScanArguments {
        size: size_of::<ScanArguments>() as u64,
        start,
        end,
        vec: found.as_mut_ptr().expose_provenance() as u64,
        vec_len: found.len() as u64,
        return_mask: properties,
        ..ScanArguments::default()
    };
    match ask {
        Ask::WrittenAndTrack => {
            arguments.flags = WRITE_PROTECT_MATCHING;
            arguments.category_mask = WRITTEN;
            arguments.category_anyof_mask = PRESENT | SWAPPED;
        }
        Ask::Written => {
            arguments.flags = CHECK_TRACKED;
            arguments.category_mask = WRITTEN;
            arguments.return_mask = WRITTEN;
        }
        Ask::Unknown => {
            arguments.category_inverted = TRACKED;
            arguments.category_anyof_mask = WRITTEN | TRACKED;
        }
    }
    // SAFETY: the arguments are as the kernel expects them, and `found` has room for `vec_len` entries.
    let count = unsafe {
        libc::ioctl(
            pagemap.as_raw_fd(),
            PAGEMAP_SCAN,
            (&raw mut arguments).cast::<u8>(),
        )
    };
    match usize::try_from(count) {
        Ok(count) => Ok((count, arguments.walk_end)),
        Err(_) => Err(errno()),
    }
}

/// Before this version the kernel could take a written page for one that is not while it was moved or
/// swapped out.
const SOUND_WRITTEN: (u32, u32) = (6, 17);

/// Whether [`Ask::Written`] can be relied on.
pub(super) fn is_written_sound() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(|it: char| !it.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= SOUND_WRITTEN,
        _ => false,
    }
}

/// The error of the last system call of this thread.
pub(super) fn errno() -> i32 {
    // SAFETY: the C library gives the place of this thread's error.
    unsafe { *libc::__errno_location() }
}

/// Copies memory of this process; how many bytes, 0 if not even the first can be read.
pub(super) fn copy(pid: i32, from: u64, to: &mut [u8], memory: &File) -> usize {
    let local = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: to.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(from as usize),
        iov_len: to.len(),
    };
    // SAFETY: the kernel writes at most `to.len()` bytes to `to`; what can't be read is an error.
    let copied =
        unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    if let Ok(copied @ 1..) = usize::try_from(copied) {
        return copied;
    }
    // This way also leads to pages without permission to read.
    // SAFETY: as above.
    let copied = unsafe {
        let offset = from.cast_signed();
        libc::pread(memory.as_raw_fd(), to.as_mut_ptr().cast(), to.len(), offset)
    };
    usize::try_from(copied).unwrap_or(0)
}

/// `UFFDIO_API` and `UFFDIO_REGISTER` of `<linux/userfaultfd.h>`.
const API: libc::c_ulong = 0xc018_aa3f;
const REGISTER: libc::c_ulong = 0xc020_aa00;
const API_NUMBER: u64 = 0xaa;
/// Writes are noted by the kernel and never waited for.
const FEATURE_WRITE_PROTECT_ASYNC: u64 = 1 << 15;
const MODE_WRITE_PROTECT: u64 = 2;
const USER_MODE_ONLY: libc::c_int = 1;

/// Tracking of writes to this process's memory. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Tracking(OwnedFd);

impl Tracking {
    /// Begins, with nothing tracked.
    pub(super) fn begin() -> io::Result<Self> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | USER_MODE_ONLY;
        // SAFETY: the call takes one integer and gives a new descriptor.
        let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        let Ok(descriptor @ 0..) = i32::try_from(descriptor) else {
            return Err(io::Error::last_os_error());
        };
        // SAFETY: the kernel has just given it.
        let tracking = Self(unsafe { OwnedFd::from_raw_fd(descriptor) });
        let mut arguments = [API_NUMBER, FEATURE_WRITE_PROTECT_ASYNC, 0];
        tracking.ask(API, &mut arguments)?;
        Ok(tracking)
    }

    /// Tracks writes to these pages too.
    pub(super) fn add(&self, start: u64, end: u64) -> io::Result<()> {
        self.ask(REGISTER, &mut [start, end - start, MODE_WRITE_PROTECT, 0])
    }

    fn ask<const N: usize>(
        &self,
        request: libc::c_ulong,
        arguments: &mut [u64; N],
    ) -> io::Result<()> {
        // SAFETY: the arguments have the length that the request's number tells.
        let outcome = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                request,
                arguments.as_mut_ptr().cast::<u8>(),
            )
        };
        if outcome == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}
