//! Where images lie: each in a part of the address space where nothing else was or will be.
//!
//! A scan can't tell a reference into an image from a number that looks like one. Memory is full of addresses of
//! buffers and stacks that are there no longer, and the kernel maps an image where it finds room, which is first of
//! all where such a thing was. Other numbers are put together of two things: the end of a text, or a 32-bit number,
//! beside the upper half of an address that was there before. So each image gets four gigabytes of addresses in which
//! only its own begin, far from what the kernel hands out by itself, at a place in them that nobody can guess.
//!
//! The loader can't be told where to map. So all room that the kernel would take first is filled while it works. Where
//! that fails, an image lies anywhere, as it would without.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

use crate::sync::{Mutex, lock};

const PAGE: usize = 4096;

/// Addresses whose upper halves are equal.
const WINDOW: usize = 1 << 32;

/// On x86_64 the kernel hands out addresses from below 0x7fff_ffff_f000 downwards, and has the executable and its
/// heap above 0x5555_5555_4000, by up to four terabytes. Nothing is between.
const FIRST_WINDOW: usize = 0x5a00_0000_0000;
const WINDOWS: usize = 0x2000;

/// The largest piece that room is filled with.
const LARGEST: usize = 1 << 46;

/// More pieces are not filled in one go. Each takes a microsecond or two.
const MOST_FILLERS: usize = 512;

/// The window for the next image; they are taken in turns. Two that fill room would be in each other's way.
static NEXT: LazyLock<Mutex<usize>> = LazyLock::new(|| Mutex::new(random()));

fn random() -> usize {
    RandomState::new().hash_one(0) as usize
}

/// Does what has the kernel find room for so many bytes, at fresh addresses. Threads that map memory at the same
/// time may get the room instead.
pub(crate) fn fresh<T>(bytes: usize, map: impl FnOnce() -> T) -> T {
    let mut next = lock(&NEXT);
    *next = next.wrapping_add(1);
    let room = Room::make(*next, bytes.next_multiple_of(PAGE));
    let mapped = map();
    drop(room);
    mapped
}

/// Room at fresh addresses, while there is no other that comes before it.
struct Room {
    fillers: Vec<Range<usize>>,
}

impl Room {
    fn make(window: usize, bytes: usize) -> Option<Self> {
        if !cfg!(target_arch = "x86_64") || !has_all_addresses() {
            return None;
        }
        let pages = WINDOW.checked_sub(bytes + PAGE)? / PAGE;
        let start = FIRST_WINDOW + window % WINDOWS * WINDOW + random() % pages * PAGE;
        let place = start..start + bytes;
        // The kernel takes what is highest, so the place is to end where something is.
        let lid = reserve(Some(place.end), PAGE)?;
        let mut room = Self {
            fillers: Vec::with_capacity(MOST_FILLERS),
        };
        room.fillers.push(lid..lid + PAGE);
        room.fill_above(&place);
        Some(room)
    }

    /// Fills all room above the place, large pieces before small ones. Where the kernel is set to take the lowest
    /// first (`ulimit -s unlimited`), nothing is filled.
    fn fill_above(&mut self, place: &Range<usize>) {
        let mut bytes = place.len();
        while bytes < LARGEST {
            bytes *= 2;
        }
        while bytes >= place.len() && self.fillers.len() < MOST_FILLERS {
            let Some(start) = reserve(None, bytes) else {
                bytes /= 2;
                continue;
            };
            let found = start..start + bytes;
            if start > place.start {
                self.fillers.push(found);
            } else {
                release(found);
                bytes /= 2;
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.fillers.drain(..).for_each(release);
    }
}

/// Whether the process may have as much address space as it likes, as what fills room counts.
fn has_all_addresses() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = limits.lines();
    let line = lines.find(|line| line.starts_with("Max address space"));
    line.is_some_and(|line| line.contains("unlimited"))
}

/// Reserves addresses: these, if they are free, or any.
fn reserve(start: Option<usize>, bytes: usize) -> Option<usize> {
    let exactly = start.map_or(0, |_| libc::MAP_FIXED_NOREPLACE);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | exactly;
    let wanted = std::ptr::without_provenance_mut(start.unwrap_or(0));
    // SAFETY: the flags leave alone what is mapped there.
    let mapped = unsafe { libc::mmap(wanted, bytes, libc::PROT_NONE, flags, -1, 0) };
    (mapped != libc::MAP_FAILED).then(|| mapped.addr())
}

/// Gives back addresses that were reserved here.
fn release(range: Range<usize>) {
    let start = std::ptr::without_provenance_mut(range.start);
    // SAFETY: the range was reserved by `reserve`, and nobody has been told of it but this module.
    unsafe { libc::munmap(start, range.len()) };
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::cell::Cell;

    use super::{FIRST_WINDOW, PAGE, WINDOW, WINDOWS, fresh, release, reserve};

    #[test]
    fn each_has_a_window_of_its_own() {
        let last = Cell::new(0);
        let own = FIRST_WINDOW..FIRST_WINDOW + WINDOWS * WINDOW;
        for bytes in [1, PAGE, 3 * PAGE + 5, 300 << 10, 700 << 20] {
            // Threads of other tests may get the room.
            let mut tries = (0..100).map(|_| {
                let found =
                    fresh(bytes, || reserve(None, bytes)).expect("there are enough addresses");
                release(found..found + bytes);
                found
            });
            let found = tries.find(|found| own.contains(found)).expect("a place");
            assert_ne!(found / WINDOW, last.replace(found / WINDOW), "{bytes}");
        }
        let elsewhere = reserve(None, PAGE).expect("there are enough addresses");
        release(elsewhere..elsewhere + PAGE);
        assert!(elsewhere > own.end, "the room is given back");
    }
}
