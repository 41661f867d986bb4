//! Words that were found and are no references: those that are gone, and those in memory that
//! the C library keeps for later.

use std::cell::Cell;

use super::super::heap::{Heaps, Place};
use super::super::kernel;
use super::super::stacks::Descriptors;
use super::skipped::RED_ZONE;
use super::{Hit, PAGE, Scan};

const WORDS: usize = PAGE as usize / size_of::<u64>();

/// The page that was read last.
struct Page {
    start: Cell<u64>,
    words: [Cell<u64>; WORDS],
}

impl Page {
    fn none() -> Self {
        Self {
            start: Cell::new(u64::MAX),
            words: [const { Cell::new(0) }; WORDS],
        }
    }

    /// A word at a multiple of 8; `read` fills a page, or says that it can't be read.
    fn word(&self, at: u64, read: impl Fn(u64, &mut [u8]) -> bool) -> Option<u64> {
        let start = at & !(PAGE - 1);
        if self.start.get() != start {
            let mut bytes = [0; PAGE as usize];
            self.start.set(u64::MAX);
            if !read(start, &mut bytes) {
                return None;
            }
            let (words, _) = bytes.as_chunks::<8>();
            for (cell, word) in self.words.iter().zip(words) {
                cell.set(u64::from_ne_bytes(*word));
            }
            self.start.set(start);
        }
        let cell = self.words.get((at - start) as usize / size_of::<u64>());
        cell.filter(|_| at.is_multiple_of(8)).map(Cell::get)
    }
}

impl Scan {
    /// Forgets words that are there no longer.
    pub(in super::super) fn confirm(&mut self) {
        let mut kept = 0;
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            if hit.at == 0 || self.still(&hit) {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
    }

    fn still(&self, hit: &Hit) -> bool {
        self.word(hit.at)
            .and_then(|word| self.wanted.address(word))
            .is_some_and(|address| address - self.start == u64::from(hit.to))
    }

    /// Forgets words in blocks that are free, and on stacks of threads that have ended. Threads stand.
    pub(in super::super) fn forget_free(&mut self) {
        let mut kept = 0;
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            if hit.at == 0 || !self.is_free(hit.at) {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
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

    fn is_free(&self, at: u64) -> bool {
        let place = self.mappings.partition_point(|it| it.end <= at);
        let Some(mapping) = self.mappings.get(place).filter(|it| it.start <= at) else {
            return false;
        };
        let is_first_heap = mapping.name(&self.text) == b"[heap]";
        if !(mapping.is_plain() || is_first_heap) || !mapping.is_writable() {
            return false;
        }
        let range = mapping.start..mapping.end;
        let page = Page::none();
        // Not in place: there may be guards.
        let word = |at: u64| page.word(at, |start, bytes| self.read(start, bytes));
        // SAFETY: the call has no preconditions. The tracer has the descriptor of the thread that asked.
        let own = unsafe { libc::pthread_self() } as u64;
        let threads = || {
            let threads = self.threads.iter().filter(|thread| thread.stands);
            threads.map(|thread| thread.descriptor).chain([own])
        };
        let place = Place {
            at,
            mapping: range,
            is_first_heap,
        };
        let in_time = || self.check_time().is_ok();
        let stack = |stacks: Descriptors| stacks.around(at, mapping.end, word);
        if let Some((start, stack)) = self.descriptors.and_then(stack) {
            return !stack.lives || self.is_below(at, start, stack.descriptor);
        }
        let is_free = |heaps: Heaps| heaps.is_free(&place, threads, word, in_time);
        self.heaps.is_some_and(is_free)
    }
}
