//! Opens an image file, checks it against the manifest, and has the system's loader map that very file.
//!
//! The path is opened once. All checks read from that descriptor, and the loader is given a name of
//! the descriptor, in `/proc/PID/fd`, so that nothing put in the path's place meanwhile can be
//! mapped. A write to the file between check and mapping shows in its size or time of modification.
//!
//! Afterwards the descriptor is closed, and the loader's record of the image is given the path for
//! its name: from there debuggers and the standard library's backtraces take it, and a descriptor a
//! version would use up what the program may have.

use std::ffi::{CStr, CString, c_char};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::checksum::Checksum;
use hotswap_protocol::manifest::Image;
use hotswap_protocol::message::ErrorCode;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

use crate::engine::backtrace;
use crate::engine::elf::{Dynamic, ElfError, ElfFile};
use crate::engine::listen;
use crate::engine::loaded::Loaded;
use crate::engine::place;
use crate::sync::{AtomicU64, Ordering};

pub(crate) mod memory;

use memory::private_copy;

/// Bytes read at a time for the checksum.
const PIECE_BYTES: usize = 256 << 10;

/// Names given to the loader so far.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// Why an image was not loaded.
#[derive(Debug, thiserror::Error)]
#[error("image `{}`: {problem}", path.display())]
pub(crate) struct ImageError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("finds no place in this process: {0}")]
    NoPlace(io::Error),
    #[error("is no regular file")]
    NotRegular,
    #[error("belongs to user {owner}, not to user {user} or root")]
    ForeignOwner { owner: u32, user: u32 },
    #[error("can be written by others (mode {mode:o})")]
    OthersMayWrite { mode: u32 },
    #[error("has {found} bytes, the manifest says {expected}")]
    Size { found: u64, expected: u64 },
    #[error("has checksum {found:#018x}, the manifest says {expected:#018x}")]
    Checksum { found: u64, expected: u64 },
    #[error("has build id {}, the manifest says {expected}", text(found.as_ref()))]
    BuildId {
        found: Option<BuildId>,
        expected: BuildId,
    },
    #[error("cannot be loaded: {0}")]
    Elf(#[from] ElfError),
    #[error("was written to while it was being loaded")]
    Changed,
    #[error(
        "its new thread-locals find no room in the threads that run ({0}): restart the program, or \
         keep what is large in them behind a `Box`"
    )]
    ThreadLocals(String),
    #[error("the system's loader refused it: {0}")]
    Loader(String),
    #[error("the system's loader does not tell where it is")]
    Nowhere,
    #[error("`/proc` is not there: it is needed to load the file that was checked")]
    NoProc,
}

fn text(build_id: Option<&BuildId>) -> &str {
    build_id.map_or("none", BuildId::as_str)
}

impl ImageError {
    fn new(path: &Path, problem: impl Into<Problem>) -> Self {
        Self {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// There is no file in memory, nor elsewhere, that it can be put into.
    fn no_place(path: &Path, error: io::Error) -> Self {
        Self::new(path, Problem::NoPlace(error))
    }

    /// The protocol's name for the failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self.problem {
            Problem::Unreadable(_)
            | Problem::NotRegular
            | Problem::ForeignOwner { .. }
            | Problem::OthersMayWrite { .. } => ErrorCode::ImageUnreadable,
            Problem::Size { .. }
            | Problem::Checksum { .. }
            | Problem::BuildId { .. }
            | Problem::Changed => ErrorCode::ImageMismatch,
            Problem::Elf(_) => ErrorCode::ImageInvalid,
            Problem::NoPlace(_) | Problem::ThreadLocals(_) | Problem::Loader(_) => {
                ErrorCode::LoadFailed
            }
            Problem::Nowhere | Problem::NoProc => ErrorCode::Unsupported,
        }
    }
}

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A file that is what the manifest says, not yet mapped.
#[derive(Debug)]
pub(crate) struct CheckedImage {
    path: PathBuf,
    file: File,
    stamp: Stamp,
    elf: ElfFile,
    /// The path leads to the file only as long as it is open.
    is_in_memory: bool,
    /// Whether the manifest lets later images bind to it.
    pub(crate) shared: bool,
}

/// Who sees an image's symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Nobody.
    Private,
    /// All images that are loaded later.
    Shared,
}

/// An image in memory. Dropping it gives it back to the loader, which unmaps it if nothing else
/// holds it: only for images whose code has never been reachable.
#[derive(Debug)]
pub(crate) struct LoadedImage {
    /// The path from the manifest.
    pub(crate) path: PathBuf,
    pub(crate) loaded: Loaded,
    /// Whether later images may have bound to it.
    pub(crate) is_shared: bool,
    /// What the loader needs of it besides.
    pub(crate) dynamic: Dynamic,
    record: Option<Record>,
    /// What the path leads to, if it would be gone otherwise.
    _file: Option<File>,
}

impl CheckedImage {
    /// Opens and checks the image that the manifest describes.
    pub(crate) fn open(described: &Image) -> Result<Self, ImageError> {
        Self::open_checked(described).map_err(|problem| ImageError::new(&described.path, problem))
    }

    fn open_checked(described: &Image) -> Result<Self, Problem> {
        let file = OpenOptions::new()
            .read(true)
            // A pipe in the path's place must not block.
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(&described.path)?;
        check_private(&file.metadata()?)?;
        Self::check(described, file)
    }

    /// Checks the image that the manifest describes and that is in this sealed file.
    pub(crate) fn of_memory(described: &Image, file: File) -> Result<Self, ImageError> {
        let checked = Self::check(described, file);
        let mut checked = checked.map_err(|problem| ImageError::new(&described.path, problem))?;
        checked.is_in_memory = true;
        Ok(checked)
    }

    fn check(described: &Image, file: File) -> Result<Self, Problem> {
        let metadata = file.metadata()?;
        check_content(&file, metadata.size(), described)?;
        let elf = ElfFile::read(metadata.size(), &mut |offset, part| {
            file.read_exact_at(part, offset)
        })?;
        if elf.build_id.as_ref() != Some(&described.build_id) {
            let expected = described.build_id.clone();
            return Err(Problem::BuildId {
                found: elf.build_id,
                expected,
            });
        }
        Ok(Self {
            path: described.path.clone(),
            file,
            stamp: Stamp::of(&metadata),
            elf,
            is_in_memory: false,
            shared: described.shared,
        })
    }

    /// Maps the image with all its symbols bound.
    pub(crate) fn load(self, visibility: Visibility) -> Result<LoadedImage, ImageError> {
        let path = self.path.clone();
        self.load_fresh(visibility)
            .map_err(|problem| ImageError::new(&path, problem))
    }

    fn load_fresh(self, visibility: Visibility) -> Result<LoadedImage, Problem> {
        let (_, bytes) = self.elf.layout.span();
        let open = |file: &File| {
            place::fresh(bytes as usize, || {
                Record::open(file, &self.path, visibility)
            })
        };
        let record = match open(&self.file)? {
            Some(record) => record,
            // The loader has this very file in memory. Its copy is another one.
            None => open(&private_copy(&self.file)?)?.ok_or(Problem::Nowhere)?,
        };
        if Stamp::of(&self.file.metadata()?) != self.stamp {
            return Err(Problem::Changed);
        }
        let ElfFile {
            layout,
            build_id,
            dynamic,
        } = self.elf;
        Ok(LoadedImage {
            path: self.path,
            loaded: Loaded {
                base: record.base(),
                layout,
                build_id,
            },
            dynamic,
            is_shared: visibility == Visibility::Shared,
            record: Some(record),
            _file: self.is_in_memory.then_some(self.file),
        })
    }
}

impl LoadedImage {
    /// Where it lies in memory, gaps between its parts included.
    pub(crate) fn range(&self) -> Range<usize> {
        let (first, bytes) = self.loaded.layout.span();
        let start = self.loaded.base + first as usize;
        start..start + bytes as usize
    }

    /// Where the loader keeps its record of the image.
    pub(crate) fn record(&self) -> Range<usize> {
        let Some(record) = &self.record else {
            return 0..0;
        };
        // SAFETY: the loader has its records from the C library's allocator, or from the one that the
        // program has put in its place, and this one lives.
        let bytes = unsafe { libc::malloc_usable_size(record.map.cast()) };
        record.map.addr()..record.map.addr() + bytes
    }
}

impl Drop for LoadedImage {
    fn drop(&mut self) {
        self.record = None;
        // Another file may be mapped where this one was. Failing that, names are wrong at worst.
        let _ = backtrace::refresh();
    }
}

/// Only the program's own user, or root, can have put the content there.
fn check_private(metadata: &Metadata) -> Result<(), Problem> {
    let user = listen::user();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !metadata.is_file() {
        Err(Problem::NotRegular)
    } else if owner != user && owner != 0 {
        Err(Problem::ForeignOwner { owner, user })
    } else if mode & 0o022 != 0 {
        Err(Problem::OthersMayWrite { mode })
    } else {
        Ok(())
    }
}

fn check_content(mut file: &File, found: u64, described: &Image) -> Result<(), Problem> {
    let expected = described.size;
    if found != expected {
        return Err(Problem::Size { found, expected });
    }
    let mut checksum = Checksum::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(bytes) => checksum.update(&piece[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (found, expected) = (checksum.finish(), described.checksum);
    if found == expected {
        Ok(())
    } else {
        Err(Problem::Checksum { found, expected })
    }
}

/// A name of the open file that the loader has never heard. It compares names before it compares
/// files, remembers the names of images it could not unmap, and descriptors' numbers come again; so
/// the name spells a number that does not, in slashes, which the system overlooks.
fn unique_name(file: &File) -> Result<String, Problem> {
    let directory = format!("/proc/{}/fd", std::process::id());
    if !Path::new(&directory).exists() {
        return Err(Problem::NoProc);
    }
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    let spelled = (0..u64::BITS)
        .rev()
        .map(|bit| if number >> bit & 1 == 1 { "/." } else { "/" });
    let descriptor = file.as_raw_fd();
    Ok(format!(
        "{directory}{}/{descriptor}",
        spelled.collect::<String>()
    ))
}

fn open_library(name: &str, path: &Path, visibility: Visibility) -> Result<Library, Problem> {
    let scope = match visibility {
        Visibility::Private => RTLD_LOCAL,
        Visibility::Shared => RTLD_GLOBAL,
    };
    // SAFETY: loading runs the image's initialisers. The image is a patch that the tool made for
    // this executable and the manifest vouches for; what its code does is the user's, as with the
    // executable itself.
    let library = unsafe { Library::open(Some(name), RTLD_NOW | scope) };
    library.map_err(|error| {
        let text = match error {
            libloading::Error::DlOpen { source } => source.to_string(),
            other => other.to_string(),
        };
        let text = text.replace(name, &path.display().to_string());
        if text.contains("static TLS block") {
            Problem::ThreadLocals(text)
        } else {
            Problem::Loader(text)
        }
    })
}

/// The beginning of the loader's record of a file, `struct link_map` of `<link.h>`.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
}

fn link_map(library: Library) -> Result<(Library, *mut LinkMap), Problem> {
    let mut map: *mut LinkMap = std::ptr::null_mut();
    let handle = library.into_raw();
    // SAFETY: the handle is a live one, and this request writes one pointer.
    let outcome = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    // SAFETY: the handle comes from `into_raw` just above.
    let library = unsafe { Library::from_raw(handle) };
    if outcome != 0 || map.is_null() {
        return Err(Problem::Nowhere);
    }
    Ok((library, map))
}

/// An open library, and the loader's record of it under the image's path.
#[derive(Debug)]
struct Record {
    map: *mut LinkMap,
    /// The name that the loader has allocated, and will free.
    original: *const c_char,
    // What the record points to is dropped after the library.
    _library: Library,
    _path: CString,
}

// SAFETY: the loader's record belongs to the library, and only the owner of this changes its name.
unsafe impl Send for Record {}

impl Record {
    /// Loads the file; none if the loader took it for one that it has already.
    fn open(file: &File, path: &Path, visibility: Visibility) -> Result<Option<Self>, Problem> {
        let name = unique_name(file)?;
        let (library, map) = link_map(open_library(&name, path, visibility)?)?;
        let path = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)?;
        // SAFETY: the record lives as long as the library.
        let original = unsafe { (*map).name };
        // SAFETY: the name in a record is a C string or null.
        if original.is_null() || unsafe { CStr::from_ptr(original) }.to_bytes() != name.as_bytes() {
            return Ok(None);
        }
        // SAFETY: as above. The loader and debuggers read the pointer in one piece, and both
        // strings live longer than the record.
        unsafe { (&raw mut (*map).name).write_volatile(path.as_ptr()) };
        Ok(Some(Self {
            map,
            original,
            _library: library,
            _path: path,
        }))
    }

    /// What is added to virtual addresses.
    fn base(&self) -> usize {
        // SAFETY: the loader's record lives as long as the library, which is dropped after this.
        unsafe { (*self.map).base }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: as in `base`.
        unsafe { (&raw mut (*self.map).name).write_volatile(self.original) };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
