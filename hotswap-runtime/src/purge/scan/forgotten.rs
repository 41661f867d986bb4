//! Words that were found and are no references: those that are gone, and those in memory that
//! the C library keeps for later.

use std::cell::Cell;

use super::super::heap::{self, Place, Told, Walk};
use super::super::kernel;
use super::super::maps::{self, Mapping};
use super::super::page::Page;
use super::super::stacks::Stack;
use super::skipped::RED_ZONE;
use super::{HITS, Hit, Scan, Span};

/// What one word's place tells of those behind it.
struct Known {
    page: Page,
    walk: Walk,
    stack: Cell<Option<(u64, Stack)>>,
}

impl Known {
    fn new() -> Self {
        Self {
            page: Page::none(),
            walk: Walk::default(),
            stack: Cell::new(None),
        }
    }
}

impl Scan {
    /// In order, and each once.
    pub(super) fn sort_hits(&mut self) {
        self.hits.sort_unstable();
        let mut kept = 0;
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            if kept == 0 || self.hits[kept - 1] != hit {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
    }

    /// Forgets words that are there no longer.
    pub(in super::super) fn confirm(&mut self) {
        self.sort_hits();
        let (last, mut kept) = (Cell::new(0), 0);
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            if hit.at == 0 || self.still(&hit, &last) {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
    }

    fn still(&self, hit: &Hit, last: &Cell<usize>) -> bool {
        let standing = self.deadline.and_then(|_| self.word_standing(hit.at, last));
        let word = standing.or_else(|| self.word(hit.at));
        word.and_then(|word| self.wanted.address(word))
            .is_some_and(|address| address - self.start == u64::from(hit.to))
    }

    /// Forgets words in blocks that are free, and on stacks of threads that have ended. Threads stand, and the
    /// words are in order.
    ///
    /// Those in blocks are also cleared. Otherwise they would be found for ever if such a block is given out again
    /// to somebody who does not write to all of it.
    pub(in super::super) fn forget_free(&mut self) {
        if self.hits.is_empty() {
            return;
        }
        self.listed.clear();
        let (known, mut kept) = (Known::new(), 0);
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            let told = match hit.at {
                0 => Told::Used,
                at => self.told(at, &known),
            };
            if let Told::Free(Some(block)) = told {
                self.clear(hit.at, &block);
            }
            if let Told::Listed(block) = told
                && self
                    .listed
                    .last()
                    .is_none_or(|last| last.start != block.start)
            {
                // Without room it counts as in use.
                self.listed.push(block);
            }
            if !matches!(told, Told::Free(_)) {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
        self.forget_listed();
    }

    /// Forgets words in blocks that threads have in lists of free ones. There may be very many threads, so their
    /// lists are gone through once.
    fn forget_listed(&mut self) {
        let mut free = [0; HITS / 64];
        self.mark_listed(&mut free);
        let mut kept = 0;
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            let block = self.listed.partition_point(|block| block.end <= hit.at);
            let around = self.listed.get(block).filter(|it| it.start <= hit.at);
            match around {
                Some(around) if free[block / 64] & 1 << (block % 64) != 0 => {
                    self.clear(hit.at, around);
                }
                _ => {
                    self.hits[kept] = hit;
                    kept += 1;
                }
            }
        }
        self.hits.set_length(kept);
    }

    /// Marks those of the blocks that may be in lists of threads that are.
    fn mark_listed(&self, free: &mut [u64; HITS / 64]) {
        let Some(heaps) = self.heaps.filter(|_| !self.listed.is_empty()) else {
            return;
        };
        let blocks = self.listed.iter();
        let kinds = blocks.fold(0, |kinds, block| kinds | 1u64 << heap::kind(block));
        // SAFETY: the call has no preconditions. The tracer has the descriptor of the thread that asked.
        let own = unsafe { libc::pthread_self() } as u64;
        let threads = self.threads.iter().filter(|thread| thread.stands);
        let last = Cell::new(0);
        let word = |at: u64| self.word_standing(at, &last);
        for thread in threads.map(|thread| thread.descriptor).chain([own]) {
            let Some(record) = heaps.lists_of(thread, word) else {
                continue;
            };
            for kind in (0..64).filter(|kind| kinds & 1 << kind != 0) {
                if self.check_time().is_err() {
                    return;
                }
                // A list that is not as expected is taken as far as it is.
                let _ = heaps.listed(record, kind, word, |at| {
                    let found = self.listed.binary_search_by_key(&at, |block| block.start);
                    if let Ok(block) = found
                        && heap::kind(&self.listed[block]) == kind
                    {
                        free[block / 64] |= 1 << (block % 64);
                    }
                });
            }
        }
    }

    /// Clears a word of a free block, unless the allocator may keep something there. Threads stand.
    fn clear(&self, at: u64, block: &Span) {
        if self.deadline.is_none() || heap::is_kept_in_free(block, at) {
            return;
        }
        let word = std::ptr::with_exposed_provenance_mut::<u64>(at as usize);
        // SAFETY: the word is aligned, in memory that can be written to, and in a block that the allocator has
        // for later, beside what it keeps there itself: nobody reads it before it is written, and no thread runs
        // that could. That rests on the heap's looks, as whatever is told of free blocks does.
        unsafe { word.write_volatile(0) };
    }

    /// A word of plain memory, while threads stand. `last` remembers the mapping.
    fn word_standing(&self, at: u64, last: &Cell<usize>) -> Option<u64> {
        let holds = |mapping: &&Mapping| mapping.start <= at && at < mapping.end;
        let mapping = self.mappings.get(last.get()).filter(holds).or_else(|| {
            last.set(self.mappings.partition_point(|it| it.end <= at));
            self.mappings.get(last.get()).filter(holds)
        })?;
        let is_plain = mapping.is_plain() || mapping.name(&self.text) == b"[heap]";
        (is_plain && at.is_multiple_of(8)).then(|| self.word_in_place(at))
    }

    /// Whether a word is on the part of a thread's stack that it does not use; the stack goes from `start` to
    /// the thread's descriptor.
    fn is_below(&self, at: u64, start: u64, descriptor: u64) -> bool {
        let own = self.threads.iter().find(|it| it.descriptor == descriptor);
        own.is_some_and(|thread| {
            let pointer = thread.stack_pointer;
            thread.stands
                && (start..descriptor).contains(&pointer)
                && at + 8 <= pointer.saturating_sub(RED_ZONE)
        })
    }

    fn read(&self, start: u64, bytes: &mut [u8]) -> bool {
        kernel::copy(self.pid, start, bytes, &self.files.memory) == bytes.len()
    }

    /// What is known of a word's place from what is there.
    fn told(&self, at: u64, known: &Known) -> Told {
        let place = self.mappings.partition_point(|it| it.end <= at);
        let Some(mapping) = self.mappings.get(place).filter(|it| it.start <= at) else {
            return Told::Used;
        };
        let is_first_heap = mapping.name(&self.text) == b"[heap]";
        if !(mapping.is_plain() || is_first_heap) || !mapping.is_writable() {
            return Told::Used;
        }
        let mapping = maps::joined(&self.mappings, place, &self.text);
        let end = mapping.end;
        // Not in place: there may be guards.
        let word = |at: u64| known.page.word(at, |start, bytes| self.read(start, bytes));
        let in_a_heap = self.heaps.and_then(|heaps| {
            let place = Place {
                at,
                mapping,
                is_first_heap,
            };
            heaps.told(&place, &known.walk, word, || self.check_time().is_ok())
        });
        in_a_heap.unwrap_or_else(|| {
            let stack = self.stack_around(at, end, word, known);
            let is_free = stack.is_some_and(|(start, stack)| {
                !stack.lives || self.is_below(at, start, stack.descriptor)
            });
            match is_free {
                true => Told::Free(None),
                false => Told::Used,
            }
        })
    }

    /// The stack that a word is on, and where that begins.
    fn stack_around(
        &self,
        at: u64,
        end: u64,
        word: impl Fn(u64) -> Option<u64>,
        known: &Known,
    ) -> Option<(u64, Stack)> {
        let holds = |(start, stack): &(u64, Stack)| (*start..stack.descriptor).contains(&at);
        let found = known.stack.get().filter(holds).or_else(|| {
            let stacks = self.descriptors.filter(|_| self.check_time().is_ok())?;
            stacks.around(at, end, word)
        });
        known.stack.set(found);
        found
    }
}
