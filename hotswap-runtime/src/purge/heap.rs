//! Tells which blocks the C library's allocator holds as free: words that are left in them refer to nothing.
//!
//! How its heaps look is private to the library, so that is tried on blocks of this thread's own first. Where
//! it is not as expected, no block counts as free. What is free is told three ways: by the block behind it,
//! by the lists of small blocks that each heap has, and by those that each thread has for itself.

use std::cell::Cell;
use std::fs::{self, File};
use std::ops::Range;
use std::sync::OnceLock;

use super::arena::Arena;
use super::kernel;
use super::maps::{self, Mapping};
use super::page::Page;
use super::scan::Span;

/// Heaps but the first begin at multiples of this.
const HEAP_BYTES: u64 = 64 << 20;

/// Bytes of an arena's record, rounded up; where its parts lie.
const ARENA_BYTES: u64 = 2208;
const FAST_LISTS: u64 = 16;
const TOP: u64 = 96;
const NEXT_ARENA: u64 = 2160;

/// Where a thread's own lists lie in its record, by what is in them, and that record's size with its header.
const OWN_LISTS: u64 = 128;
const OWN_BYTES: u64 = 0x290;
const OWN_KINDS: u64 = 64;
const FAST_KINDS: u64 = 10;

/// A block's header, the least block, and the bits of a size that are none.
const HEADER: u64 = 16;
const LEAST: u64 = 32;
const FLAGS: u64 = 7;
/// Bytes behind the header in which a free block is linked with others.
const LINKS: u64 = 32;
const BEFORE_IS_USED: u64 = 1;
const IN_OTHER_HEAP: u64 = 4;

/// Where a thread's pointer to its record may be, below its descriptor.
const SEARCHED: u64 = 16 << 10;
/// Blocks in a list, and arenas, beyond which something is wrong.
const LONGEST: usize = 1 << 12;
/// As many mappings as the kernel lets a process have, unless it is set otherwise.
const MOST_MAPPINGS: usize = 1 << 16;

/// How the heaps of this process look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heaps {
    /// Bytes from where a thread keeps the pointer to its lists to its descriptor.
    own: u64,
    /// Whether pointers in lists are disguised by where they stand.
    disguised: bool,
    /// What the second word of a block in a thread's list is; none if it is the address of the record.
    key: Option<u64>,
    /// The arena of the first heap.
    first_arena: Option<u64>,
}

/// How far a heap was gone through: where that began, and a block. Words that are asked for in order make that
/// once for all.
pub(super) type Walk = Cell<(u64, u64)>;

/// Where a word lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) at: u64,
    /// The mapping.
    pub(super) mapping: Range<u64>,
    /// Whether that is the first heap.
    pub(super) is_first_heap: bool,
}

/// What a heap tells of a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// Nobody uses it. The words of the block, without the header; none where it is no block of a heap.
    Free(Option<Span>),
    Used,
    /// It is free if a thread has it in a list of its own. Its words, without the header.
    Listed(Span),
}

/// Which of a thread's lists a block would be in, from its words; less than 64.
pub(super) fn kind(block: &Span) -> u64 {
    (block.end - block.start - (LEAST - 8)) / 16
}

/// Whether the allocator itself keeps something in this word of a free block: at its start the neighbours in
/// lists, in its last word the block's size.
pub(super) fn is_kept_in_free(block: &Span, at: u64) -> bool {
    at < block.start + LINKS || at + 8 >= block.end
}

/// A block of a heap, without the header.
#[derive(Debug, Clone, Copy)]
struct Block {
    start: u64,
    /// With the header.
    bytes: u64,
    /// None in the first heap where its arena is not known.
    arena: Option<u64>,
    /// Where the heap ends.
    end: u64,
}

/// How heaps look here; none if that could not be found out now.
pub(super) fn heaps() -> Option<Heaps> {
    static FOUND: OnceLock<Heaps> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Some(*found);
    }
    // Another thread may change the same heap meanwhile.
    let found = (0..3).find_map(|_| Heaps::find())?;
    Some(*FOUND.get_or_init(|| found))
}

impl Heaps {
    /// Finds it out, and tries it.
    fn find() -> Option<Self> {
        let word = own_words()?;
        // SAFETY: the call has no preconditions.
        let thread = unsafe { libc::pthread_self() } as u64;
        let [first, second] = [(); 2].map(|()| allocate(24));
        release(first);
        release(second);
        let places = (1..=SEARCHED / 8).map(|words| words * 8);
        let mut found = places.filter_map(|own| {
            let record = word(thread - own)?;
            let is_record = record.is_multiple_of(16)
                && word(record.checked_sub(8)?)? & !FLAGS == OWN_BYTES
                && word(record + OWN_LISTS)? == second;
            is_record.then_some((own, record))
        });
        let (own, record) = found.next()?;
        let next = word(second)?;
        let disguised = next != first;
        if disguised && next ^ (second >> 12) != first {
            return None;
        }
        let key = word(second + 8)?;
        if key == 0 || word(first + 8)? != key {
            return None;
        }
        let heaps = Self {
            own,
            disguised,
            key: (key != record).then_some(key),
            first_arena: first_arena(second, &word),
        };
        heaps.holds(thread).then_some(heaps)
    }

    /// Whether it is true of blocks whose state is known.
    fn holds(&self, thread: u64) -> bool {
        // One that goes to the thread's list, and one that goes to none.
        [200, 3000].into_iter().all(|bytes| {
            let blocks = [(); 2].map(|()| allocate(bytes));
            // To look makes the heap grow, the first time.
            let places = [(); 2].map(|()| places(blocks));
            let is_free = || {
                let (places, walk, word) = (places[1].as_ref()?, Walk::default(), own_words()?);
                let [first, second] = places
                    .each_ref()
                    .map(|it| self.is_free(it, &walk, thread, &word));
                Some([first?, second?])
            };
            let was_used = is_free() == Some([false, false]);
            release(blocks[0]);
            let is_told = is_free() == Some([true, false]);
            release(blocks[1]);
            was_used && is_told
        })
    }

    /// What the heap tells of the block that a word is in; none if it is in none. `word` reads memory, which
    /// must not change meanwhile. What can't be told in time is in use.
    pub(super) fn told(
        &self,
        place: &Place,
        walk: &Walk,
        word: impl Fn(u64) -> Option<u64>,
        in_time: impl Fn() -> bool,
    ) -> Option<Told> {
        let block = self.block(place, walk, &word, &in_time)?;
        let start = block.start + HEADER;
        let words = Span {
            start,
            end: start + block.bytes - 8,
        };
        if self.is_free_in_heap(&block, &word) == Some(true) {
            return Some(Told::Free(Some(words)));
        }
        let kind = (block.bytes - LEAST) / 16;
        // Few blocks have this word that are in no thread's list.
        let may_be_listed = kind < OWN_KINDS && (self.key.is_none() || word(start + 8) == self.key);
        Some(match may_be_listed {
            true => Told::Listed(words),
            false => Told::Used,
        })
    }

    /// Tells `found` of each block of this kind that a thread has in a list of its own; `record` is that of the
    /// thread's lists.
    pub(super) fn listed(
        &self,
        record: u64,
        kind: u64,
        word: impl Fn(u64) -> Option<u64>,
        mut found: impl FnMut(u64),
    ) -> Option<()> {
        let first = word(record + OWN_LISTS + kind * 8)?;
        let key = self.key.unwrap_or(record);
        self.go_through(first, 0, LEAST + kind * 16, &word, |at| {
            if word(at + 8) == Some(key) {
                found(at);
            }
        })
    }

    /// Whether a word lies in a block that is free, of which only this thread can have put it in a list.
    fn is_free(
        &self,
        place: &Place,
        walk: &Walk,
        thread: u64,
        word: &impl Fn(u64) -> Option<u64>,
    ) -> Option<bool> {
        let block = match self.told(place, walk, word, || true)? {
            Told::Free(_) => return Some(true),
            Told::Used => return Some(false),
            Told::Listed(block) => block,
        };
        let mut is_listed = false;
        let record = self.lists_of(thread, word)?;
        let _ = self.listed(record, kind(&block), word, |at| {
            is_listed |= at == block.start
        });
        Some(is_listed)
    }

    /// The record of a thread's lists, by the thread's descriptor.
    pub(super) fn lists_of(&self, thread: u64, word: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let record = word(thread.checked_sub(self.own)?)?;
        let is_record = record != 0 && word(record.checked_sub(8)?)? & !FLAGS == OWN_BYTES;
        is_record.then_some(record)
    }

    /// The block that a word is in: all blocks before it are gone through.
    fn block(
        &self,
        place: &Place,
        walk: &Walk,
        word: &impl Fn(u64) -> Option<u64>,
        in_time: &impl Fn() -> bool,
    ) -> Option<Block> {
        let (mut start, end, arena) = match place.is_first_heap {
            true => (place.mapping.start, place.mapping.end, self.first_arena),
            false => {
                let heap = place.at & !(HEAP_BYTES - 1);
                let (arena, before, bytes) = (word(heap)?, word(heap + 8)?, word(heap + 16)?);
                let header = arena.checked_sub(arena & !(HEAP_BYTES - 1))?;
                let end = heap.checked_add(bytes)?;
                let is_heap = matches!(header, 32 | 48)
                    && (before != 0 || arena == heap + header)
                    && place.mapping.start <= heap
                    && end <= place.mapping.end;
                let first = match before {
                    0 => arena + ARENA_BYTES,
                    _ => heap + header,
                };
                is_heap.then_some((first, end, Some(arena)))?
            }
        };
        let (first, (from, reached)) = (start, walk.get());
        if from == first && (start..=place.at).contains(&reached) {
            start = reached;
        }
        let mut steps = 0u64;
        while start + LEAST <= end {
            let bytes = word(start + 8)? & !FLAGS;
            if bytes < LEAST || !bytes.is_multiple_of(16) || bytes > end - start {
                return None;
            }
            // The first word of the next header is this block's, if it is in use.
            if place.at < start + bytes + 8 {
                walk.set((first, start));
                let is_inside = place.at >= start + HEADER;
                return is_inside.then_some(Block {
                    start,
                    bytes,
                    arena,
                    end,
                });
            }
            start += bytes;
            steps += 1;
            if steps.is_multiple_of(1 << 14) && !in_time() {
                return None;
            }
        }
        None
    }

    fn is_free_in_heap(&self, block: &Block, word: &impl Fn(u64) -> Option<u64>) -> Option<bool> {
        let next = block.start + block.bytes;
        if let Some(arena) = block.arena {
            if word(arena + TOP)? == block.start {
                return Some(true);
            }
            let kind = (block.bytes - LEAST) / 16;
            if kind < FAST_KINDS {
                let first = word(arena + FAST_LISTS + kind * 8)?;
                let mut is_listed = false;
                let found = |at| is_listed |= at == block.start;
                let whole = self.go_through(first, HEADER, block.bytes, word, found);
                if is_listed || whole.is_none() {
                    return Some(is_listed);
                }
            }
        }
        // The block behind says so, and how long this one is.
        let is_free = next + HEADER <= block.end
            && word(next + 8)? & BEFORE_IS_USED == 0
            && word(next)? == block.bytes;
        Some(is_free)
    }

    /// Goes through a list that begins so. Its pointers stand so many bytes from where they point to; all its
    /// blocks have this size. None if it looks otherwise from some block on.
    fn go_through(
        &self,
        first: u64,
        pointer: u64,
        bytes: u64,
        word: &impl Fn(u64) -> Option<u64>,
        mut found: impl FnMut(u64),
    ) -> Option<()> {
        let mut at = first;
        for _ in 0..LONGEST {
            if at == 0 {
                return Some(());
            }
            // Lists of threads point past the header, those of heaps to it.
            let size = (at + pointer).checked_sub(8)?;
            if !at.is_multiple_of(16) || word(size)? & !FLAGS != bytes {
                return None;
            }
            found(at);
            let stands = at + pointer;
            let next = word(stands)?;
            at = match self.disguised {
                true => next ^ (stands >> 12),
                false => next,
            };
        }
        None
    }
}

/// The arena of the first heap, by way of the one that a block of another heap is of: they are a ring.
fn first_arena(block: u64, word: &impl Fn(u64) -> Option<u64>) -> Option<u64> {
    if word(block - 8)? & IN_OTHER_HEAP == 0 {
        return None;
    }
    let own = word(block & !(HEAP_BYTES - 1))?;
    let mut arena = own;
    for _ in 0..LONGEST {
        arena = word(arena + NEXT_ARENA)?;
        if arena == own {
            return None;
        }
        if !matches!(arena & (HEAP_BYTES - 1), 32 | 48) {
            // It has an end that is a block.
            let top = word(arena + TOP)?;
            return (top != 0 && word(top + 8)? & !FLAGS >= LEAST).then_some(arena);
        }
    }
    None
}

/// A block of the C library's allocator.
fn allocate(bytes: usize) -> u64 {
    // SAFETY: the call has no preconditions; null is an address that is never found.
    unsafe { libc::malloc(bytes) }.expose_provenance() as u64
}

fn release(block: u64) {
    let block = std::ptr::with_exposed_provenance_mut(block as usize);
    // SAFETY: it comes from `allocate` and is released once.
    unsafe { libc::free(block) };
}

/// Reads words of this process by their addresses, which must not change meanwhile.
fn own_words() -> Option<impl Fn(u64) -> Option<u64>> {
    let memory = File::open("/proc/self/mem").ok()?;
    let pid = std::process::id().cast_signed();
    let page = Page::none();
    let read = move |at, bytes: &mut [u8]| kernel::copy(pid, at, bytes, &memory) == bytes.len();
    Some(move |at| page.word(at, &read))
}

/// Where these blocks lie.
fn places<const COUNT: usize>(blocks: [u64; COUNT]) -> Option<[Place; COUNT]> {
    let text = fs::read("/proc/self/maps").ok()?;
    // Not in the heap: addresses of images would be left there.
    let mut arena = Arena::new(MOST_MAPPINGS * size_of::<Mapping>()).ok()?;
    let mut mappings = arena.table(MOST_MAPPINGS);
    if !maps::read(&text, &mut mappings) {
        return None;
    }
    let place = |block| {
        let at = block + HEADER;
        let index = mappings.partition_point(|mapping| mapping.end <= at);
        let mapping = mappings.get(index).filter(|it| it.start <= at)?;
        Some(Place {
            at,
            mapping: maps::joined(&mappings, index, &text),
            is_first_heap: mapping.name(&text) == b"[heap]",
        })
    };
    let places = blocks.map(place);
    places
        .iter()
        .all(Option::is_some)
        .then(|| places.map(Option::unwrap))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// On a thread of its own, whose blocks are in another heap than the first.
    #[test]
    fn free_blocks_of_all_kinds_are_told_from_those_in_use() {
        let check = || {
            let heaps = Heaps::find()?;
            // SAFETY: the call has no preconditions.
            let thread = unsafe { libc::pthread_self() } as u64;
            for bytes in [24, 40, 100, 500, 1032, 1100, 5000, 100_000] {
                let blocks = [(); 40].map(|()| allocate(bytes));
                // To look makes the heap grow, the first time.
                let places = &[(); 2].map(|()| places(blocks).unwrap())[1];
                let free = || {
                    let (walk, word) = (Walk::default(), own_words().unwrap());
                    places
                        .each_ref()
                        .map(|place| heaps.is_free(place, &walk, thread, &word))
                };
                if free() != [Some(false); 40] {
                    return None;
                }
                // Every other one: none has a neighbour with which it becomes one. More than fit a list.
                for block in blocks.iter().step_by(2) {
                    release(*block);
                }
                let mut expected = [Some(false); 40];
                expected
                    .iter_mut()
                    .step_by(2)
                    .for_each(|free| *free = Some(true));
                if free() != expected {
                    return None;
                }
                for block in blocks.iter().skip(1).step_by(2) {
                    release(*block);
                }
            }
            Some(())
        };
        // Threads of other tests may use the same heap at the same time.
        let mut tries = (0..100).map(|_| thread::spawn(check).join().unwrap());
        assert!(tries.any(|told| told.is_some()));
    }
}
