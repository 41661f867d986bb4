//! Keeps the names in backtraces: tells the standard library which files have been loaded since it
//! first looked.
//!
//! The standard library lists the loaded files when it first gives a frame a name, and never again;
//! frames of files loaded later print as `<unknown>`. The list and the mutex that guards it are
//! private statics of the executable, whose addresses the tool finds in the symbol table. Here the
//! list is brought up to date under that mutex, as the system's loader reports it. Files that are
//! already parsed stay so: only records are added, or emptied where a file is gone.
//!
//! This depends on how the standard library lays its list out, so nothing is changed unless every
//! word of it is what the loader's own list says it must be. Memory is read through
//! `/proc/self/mem`, where a wrong guess is an error and no fault. What differs is left alone, and
//! reported.
//!
//! The layout is that of `std::backtrace_rs::symbolize::gimli` in Rust 1.95.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt as _;
use std::thread;
use std::time::{Duration, Instant};

use hotswap_protocol::manifest::BacktraceStatics;

use crate::engine::elf::Use;
use crate::engine::loaded::{self, Loaded, Object};
use crate::sync::{AtomicU32, Mutex, Ordering, lock};

/// How long to wait for a thread that is printing a backtrace.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two attempts to take the standard library's mutex.
const PAUSE: Duration = Duration::from_millis(1);

/// `std::sync::Mutex<()>`: a futex word and a flag.
const LOCK_BYTES: u64 = 8;

/// A capacity that no vector has: it marks the list as not made yet.
const NO_LIST: usize = 1 << (usize::BITS - 1);

/// More files, segments or bytes of a name than there ever are.
const LIMIT: usize = 1 << 16;

/// Why backtraces may lack names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BacktraceError {
    #[error("the standard library's statics are not where the tool says")]
    Address,
    #[error("a backtrace was being printed for too long")]
    Locked,
    #[error("the standard library's list of files is unlike that of Rust 1.95")]
    Unlike,
    #[error("`/proc/self/mem`: {0}")]
    Memory(#[from] io::Error),
}

/// A vector in memory.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    capacity: usize,
    start: usize,
    length: usize,
}

/// The standard library's record of a loaded file.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    /// Bytes.
    name: Parts,
    /// Pairs of address and size.
    segments: Parts,
    base: usize,
}

/// Where the list and its lock are.
#[derive(Debug, Clone, Copy)]
struct Place {
    list: *mut Parts,
    lock: *const AtomicU32,
}

// SAFETY: both point to statics of the executable; `refresh_at` says how they may be used.
unsafe impl Send for Place {}

/// Where the running executable has them, once a patch has told.
static PLACE: Mutex<Option<Place>> = Mutex::new(None);

/// What stands there now.
static LISTS: Mutex<Lists> = Mutex::new(Lists {
    first: None,
    own: Vec::new(),
});

/// The lists that the standard library has been given in the place of its own.
#[derive(Debug, Default)]
struct Lists {
    /// Its own, which only it could free.
    first: Option<Parts>,
    /// The newest one.
    own: Vec<Record>,
}

/// Learns where the executable's standard library keeps its list.
pub(crate) fn locate(statics: &BacktraceStatics, host: &Loaded) -> Result<(), BacktraceError> {
    let at = |address, bytes| host.address(address, bytes, Use::State);
    let list = at(statics.cache.address, statics.cache.size).map(|list| list.cast::<Parts>());
    let lock_word = at(statics.lock.address, LOCK_BYTES).map(|lock| lock.cast::<AtomicU32>());
    match (list, lock_word) {
        (Some(list), Some(lock_word))
            if statics.cache.size >= size_of::<Parts>() as u64
                && statics.lock.size == LOCK_BYTES
                && list.is_aligned()
                && lock_word.is_aligned() =>
        {
            *lock(&PLACE) = Some(Place {
                list: list.cast_mut(),
                lock: lock_word,
            });
            Ok(())
        }
        _ => Err(BacktraceError::Address),
    }
}

/// Brings the list up to date. Without a known place there is nothing to do.
pub(crate) fn refresh() -> Result<(), BacktraceError> {
    let place = lock(&PLACE);
    match *place {
        Some(place) => refresh_at(place, &mut lock(&LISTS), &loaded::objects()),
        None => Ok(()),
    }
}

/// Nothing in here may panic: a panic takes the mutex that is held.
fn refresh_at(place: Place, lists: &mut Lists, objects: &[Object]) -> Result<(), BacktraceError> {
    let memory = Memory(File::open("/proc/self/mem")?);
    let _guard = Guard::take(place.lock).ok_or(BacktraceError::Locked)?;
    // SAFETY: `locate` has found the place to be writable data of the executable, and whoever
    // reads or writes it otherwise holds the mutex that is held now.
    let old = unsafe { place.list.read_volatile() };
    if old.capacity == NO_LIST {
        return Ok(());
    }
    let Some(records) = updated(&memory, old, objects)? else {
        return Ok(());
    };
    // SAFETY: as above. The new list has the layout that the old one was found to have, and stays until
    // another one stands here. The standard library's list is neither grown nor dropped once it is made.
    unsafe { place.list.write_volatile(Parts::of(&records)) };
    lists.first.get_or_insert(old);
    lists.own = records;
    Ok(())
}

/// The records that the list should have; none if it is up to date.
///
/// A record keeps its position, because parsed files are known by it.
fn updated(
    memory: &Memory,
    list: Parts,
    objects: &[Object],
) -> Result<Option<Vec<Record>>, BacktraceError> {
    let mut records: Vec<Record> = memory.records(list)?;
    let mut missing: Vec<&Object> = objects.iter().collect();
    let mut changed = false;
    for (index, record) in records.iter_mut().enumerate() {
        let name = memory.bytes(record.name)?;
        let segments = memory.pairs(record.segments)?;
        let same = |object: &&Object| {
            object.base == record.base
                && (index == 0 || object.name == name)
                && object.segments.len() == segments.len()
                && object
                    .segments
                    .iter()
                    .zip(&segments)
                    .all(|(segment, (address, bytes))| {
                        (segment.address, segment.memory_bytes) == (*address, *bytes)
                    })
        };
        let found = missing.iter().position(same);
        // The executable is first in both lists, or something is not as it should be.
        if index == 0 && found != Some(0) {
            return Err(BacktraceError::Unlike);
        }
        match found {
            Some(position) => drop(missing.remove(position)),
            None if segments.is_empty() => {}
            None => {
                record.segments.length = 0;
                changed = true;
            }
        }
    }
    if missing.is_empty() && !changed {
        return Ok(None);
    }
    records.extend(missing.into_iter().map(Record::of));
    Ok(Some(records))
}

impl Record {
    fn of(object: &Object) -> Self {
        let pairs = object.segments.iter();
        let pairs = pairs.map(|segment| [segment.address as usize, segment.memory_bytes as usize]);
        Self {
            name: leak(object.name.clone()),
            segments: leak(pairs.collect::<Vec<_>>()),
            base: object.base,
        }
    }
}

/// A vector's parts; nobody frees it, since the list refers to it for ever.
fn leak<T>(vector: Vec<T>) -> Parts {
    Parts::of(&mem::ManuallyDrop::new(vector))
}

/// This process's memory, as a file.
struct Memory(File);

impl Memory {
    fn words(&self, start: usize, count: usize) -> Result<Vec<usize>, BacktraceError> {
        let mut bytes = vec![0; count * size_of::<usize>()];
        self.0.read_exact_at(&mut bytes, start as u64)?;
        let (words, _) = bytes.as_chunks::<{ size_of::<usize>() }>();
        Ok(words
            .iter()
            .map(|word| usize::from_ne_bytes(*word))
            .collect())
    }

    fn bytes(&self, parts: Parts) -> Result<Vec<u8>, BacktraceError> {
        parts.check(1)?;
        let mut bytes = vec![0; parts.length];
        if parts.length > 0 {
            self.0.read_exact_at(&mut bytes, parts.start as u64)?;
        }
        Ok(bytes)
    }

    fn pairs(&self, parts: Parts) -> Result<Vec<(u64, u64)>, BacktraceError> {
        parts.check(align_of::<usize>())?;
        if parts.length == 0 {
            return Ok(Vec::new());
        }
        let words = self.words(parts.start, parts.length * 2)?;
        let (pairs, _) = words.as_chunks::<2>();
        Ok(pairs
            .iter()
            .map(|[address, bytes]| (*address as u64, *bytes as u64))
            .collect())
    }

    fn records(&self, parts: Parts) -> Result<Vec<Record>, BacktraceError> {
        parts.check(align_of::<usize>())?;
        let words = self.words(parts.start, parts.length * 7)?;
        let (records, _) = words.as_chunks::<7>();
        let vector = |[capacity, start, length]: [usize; 3]| Parts {
            capacity,
            start,
            length,
        };
        let record = |[a, b, c, d, e, f, base]: [usize; 7]| Record {
            name: vector([a, b, c]),
            segments: vector([d, e, f]),
            base,
        };
        if records.is_empty() {
            return Err(BacktraceError::Unlike);
        }
        Ok(records.iter().copied().map(record).collect())
    }
}

impl Parts {
    fn of<T>(vector: &Vec<T>) -> Self {
        Self {
            capacity: vector.capacity(),
            start: vector.as_ptr().expose_provenance(),
            length: vector.len(),
        }
    }

    /// Whether this can be a vector of elements with that alignment.
    fn check(self, align: usize) -> Result<(), BacktraceError> {
        let possible = self.length <= self.capacity
            && self.capacity <= LIMIT
            && self.start != 0
            && self.start.is_multiple_of(align);
        if possible {
            Ok(())
        } else {
            Err(BacktraceError::Unlike)
        }
    }
}

/// The standard library's mutex, held. Its word is 0 when free, 1 when held, 2 when held and waited
/// for.
struct Guard {
    word: *const AtomicU32,
}

impl Guard {
    fn take(word: *const AtomicU32) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        // SAFETY: `locate` has found the place to be aligned data of the executable, which stays.
        let atomic = unsafe { &*word };
        while atomic
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(PAUSE);
        }
        Some(Self { word })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: as in `take`.
        let atomic = unsafe { &*self.word };
        if atomic.swap(0, Ordering::Release) == 2 {
            // SAFETY: this operation wakes one waiter and touches no memory.
            unsafe {
                let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
                libc::syscall(libc::SYS_futex, self.word, wake, 1);
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
