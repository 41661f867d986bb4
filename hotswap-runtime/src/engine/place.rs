//! Where images lie: at addresses that nothing in this process had before, and that stay free for a while afterwards.
//!
//! A scan can't tell a reference into an image from a number that looks like one. Programs are full of addresses of
//! buffers and stacks that are there no longer, and the kernel maps an image where it finds room, which is first of
//! all where such a thing was. So address space is reserved in large regions, which is never given to two images,
//! and a piece of a region is made the only room that the kernel finds: all other is filled while the loader works.
//! Where that fails, an image lies anywhere, as it would without.

use std::collections::VecDeque;
use std::fs;
use std::ops::Range;

use crate::hidden::Hidden;
use crate::sync::{AtomicU32, Mutex, Ordering, lock};

/// A region is as large as this, or as one image. It takes no memory.
const REGION_BYTES: usize = 1 << 30;

const PAGE: usize = 4096;

/// More pieces are not filled in one go. Each takes a microsecond or two.
const MOST_FILLERS: usize = 512;

/// What is left of the current region.
static REGION: Mutex<Range<usize>> = Mutex::new(0..0);

/// Places of purged images that are kept free. They take address space and no memory.
static RESERVED: Mutex<VecDeque<(Hidden, usize)>> = Mutex::new(VecDeque::new());
const MOST_RESERVED: usize = 4096;
const MOST_RESERVED_BYTES: usize = 1 << 36;

/// Whether all of them are, for ever.
static GUARDED: AtomicU32 = AtomicU32::new(0);

/// From now on nothing is mapped where a purged image was.
pub(crate) fn guard() {
    GUARDED.store(1, Ordering::Relaxed);
}

/// Reserves the first region, before the program maps anything itself.
pub(crate) fn prepare() {
    let mut region = lock(&REGION);
    if *region == (0..0) {
        begin_region(&mut region, REGION_BYTES);
    }
}

fn begin_region(region: &mut Range<usize>, bytes: usize) {
    release(region.clone());
    let start = has_all_addresses().then(|| reserve(None, bytes)).flatten();
    *region = start.map_or(0..0, |start| start..start + bytes);
}

/// Does what has the kernel find room for so many bytes, at fresh addresses. Threads that map memory at the same
/// time may get the room instead.
pub(crate) fn fresh<T>(bytes: usize, map: impl FnOnce() -> T) -> T {
    let mut region = lock(&REGION);
    let room = Room::make(&mut region, bytes.next_multiple_of(PAGE));
    let mapped = map();
    drop(room);
    mapped
}

/// Keeps the range free for a while, so that each access faults, and that words which are left from this
/// image in memory that is free are not taken for references to a later one. Where something else was
/// mapped there meanwhile, that stays as it is.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "images stay"))]
pub(crate) fn keep_free(range: &Range<usize>) {
    if reserve(Some(range.start), range.len()).is_none() {
        return;
    }
    let mut reserved = lock(&RESERVED);
    let start: *const () = std::ptr::without_provenance(range.start);
    reserved.push_back((Hidden::new(start), range.len()));
    let all: usize = reserved.iter().map(|(_, bytes)| bytes).sum();
    let too_many = reserved.len() > MOST_RESERVED || all > MOST_RESERVED_BYTES;
    if too_many
        && GUARDED.load(Ordering::Relaxed) == 0
        && let Some((oldest, bytes)) = reserved.pop_front()
    {
        let start = oldest.get::<()>().addr();
        release(start..start + bytes);
    }
}

/// Room at fresh addresses, while there is no other.
struct Room {
    place: Range<usize>,
    fillers: Vec<Range<usize>>,
}

impl Room {
    fn make(region: &mut Range<usize>, bytes: usize) -> Option<Self> {
        // A page lies between two images: an address just behind one is none of the next one's.
        if region.len() < bytes + PAGE {
            begin_region(region, REGION_BYTES.max(bytes + PAGE));
        }
        if region.len() < bytes + PAGE {
            return None;
        }
        let place = region.start..region.start + bytes;
        region.start = place.end + PAGE;
        release(place.clone());
        let mut room = Self {
            place,
            fillers: Vec::with_capacity(MOST_FILLERS),
        };
        room.fill();
        Some(room)
    }

    /// Fills all room that the kernel would take first, large pieces before small ones: it takes the highest. Where it
    /// is set to take the lowest (`ulimit -s unlimited`), nothing is filled.
    fn fill(&mut self) {
        let mut bytes = self.place.len();
        while bytes < REGION_BYTES {
            bytes *= 2;
        }
        while let Some(start) = reserve(None, bytes) {
            let found = start..start + bytes;
            if found == self.place {
                return release(found);
            }
            let is_before = start > self.place.start;
            if is_before && self.fillers.len() < MOST_FILLERS {
                self.fillers.push(found);
                continue;
            }
            release(found);
            if bytes == self.place.len() {
                // Somebody else has it by now.
                return;
            }
            bytes /= 2;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.fillers.drain(..).for_each(release);
    }
}

/// Whether the process may have as much address space as it likes: else it is not to be used up.
fn has_all_addresses() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|it| it.starts_with("Max address space"));
    line.is_some_and(|line| line.contains("unlimited"))
}

/// Reserves addresses: these, if they are free, or any.
fn reserve(start: Option<usize>, bytes: usize) -> Option<usize> {
    let exactly = start.map_or(0, |_| libc::MAP_FIXED_NOREPLACE);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | exactly;
    let wanted = std::ptr::without_provenance_mut(start.unwrap_or(0));
    // SAFETY: the flags leave alone what is mapped there.
    let mapped = unsafe { libc::mmap(wanted, bytes, libc::PROT_NONE, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    let found = mapped.addr();
    if start.is_some_and(|start| start != found) {
        // Kernels that don't know the flag take the address for a wish.
        release(found..found + bytes);
        return None;
    }
    Some(found)
}

/// Gives back addresses that were reserved here.
fn release(range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let start = std::ptr::without_provenance_mut(range.start);
    // SAFETY: the range was reserved by `reserve`, and nobody has been told of it but this module.
    unsafe { libc::munmap(start, range.len()) };
}
