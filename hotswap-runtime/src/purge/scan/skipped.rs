//! What a scan leaves out: its own memory, the image itself, and the parts of stacks that nobody uses.

use std::cell::Cell;

use super::super::maps::{Kind, Mapping};
use super::super::{Obstacle, stacks};
use super::{Scan, Span};

/// Bytes below the stack pointer that a function may use.
pub(super) const RED_ZONE: u64 = 128;

impl Scan {
    /// Leaves out the image itself, what the loader keeps of it, the tables, and this thread's stack.
    pub(super) fn skip_in_general(&mut self) -> Result<(), Obstacle> {
        self.skipped.clear();
        let image = self.wanted.range();
        let tables = self.arena.range();
        let tables = tables.start as u64..tables.end as u64;
        for range in [image, tables, self.left_out.clone()] {
            self.skip(range.start, range.end)?;
        }
        let own = self.own_stack.end;
        let mapping = self
            .mappings
            .iter()
            .find(|it| it.start <= own && own < it.end);
        if let Some(start) = mapping.map(|it| it.start) {
            self.skip(start, own)?;
        }
        self.sort_skipped();
        Ok(())
    }

    /// Leaves out the whole words of a range.
    fn skip(&mut self, start: u64, end: u64) -> Result<(), Obstacle> {
        let (start, end) = (start.next_multiple_of(8), end & !7);
        if start >= end || self.skipped.push(Span { start, end }) {
            return Ok(());
        }
        Err(Obstacle::Tables)
    }

    /// In order, and none within another.
    fn sort_skipped(&mut self) {
        self.skipped.sort_unstable_by_key(|span| span.start);
        let mut kept = 0;
        for index in 0..self.skipped.len() {
            let span = self.skipped[index];
            if kept > 0 && span.start <= self.skipped[kept - 1].end {
                let end = self.skipped[kept - 1].end.max(span.end);
                self.skipped[kept - 1].end = end;
            } else {
                self.skipped[kept] = span;
                kept += 1;
            }
        }
        self.skipped.set_length(kept);
    }

    /// Leaves out what lies below stack pointers, and the stacks of threads that have ended.
    pub(super) fn skip_stacks(&mut self) -> Result<(), Obstacle> {
        for index in 0..self.mappings.len() {
            let mapping = self.mappings[index];
            let stack = self.stack_of(&mapping, true);
            if let Some(stack) = stack.filter(|stack| !stack.lives) {
                self.skip(mapping.start, stack.descriptor)?;
            }
        }
        for index in 0..self.threads.len() {
            let thread = self.threads[index];
            let pointer = thread.stack_pointer;
            let place = self
                .mappings
                .partition_point(|mapping| mapping.end <= pointer);
            let Some(mapping) = self.mappings.get(place).copied() else {
                continue;
            };
            if pointer < mapping.start || !thread.stands {
                continue;
            }
            // A stack that a thread has made for itself may be one of many in its mapping.
            let is_own = match mapping.kind() {
                Kind::FirstStack => thread.number == self.pid,
                _ => self.stack_of(&mapping, true).is_some_and(|stack| {
                    stack.descriptor == thread.descriptor && pointer < stack.descriptor
                }),
            };
            if is_own {
                let end = (pointer & !7).saturating_sub(RED_ZONE);
                self.skip(mapping.start, end.max(mapping.start))?;
            }
        }
        self.sort_skipped();
        Ok(())
    }

    pub(super) fn stack_of(&self, mapping: &Mapping, standing: bool) -> Option<stacks::Stack> {
        let descriptors = self.descriptors?;
        let is_first = Cell::new(true);
        descriptors.stack(mapping, |at| {
            // What is no stack may end with a guard, which must not be read in place.
            if !standing || is_first.replace(false) {
                return self.word(at);
            }
            Some(self.word_in_place(at))
        })
    }

    /// A word of a mapping that may be read, at a multiple of 8, while threads stand.
    pub(super) fn word_in_place(&self, at: u64) -> u64 {
        // SAFETY: as the callers have looked, it is there; the threads stand, so that it can't be unmapped. Where
        // that is wrong, the tracer ends and nothing else.
        unsafe { std::ptr::with_exposed_provenance::<u64>(at as usize).read_volatile() }
    }
}
