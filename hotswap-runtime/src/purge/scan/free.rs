//! Words in blocks that the C library's allocator holds as free.

use super::super::heap::{Heaps, Place};
use super::Scan;

impl Scan {
    /// Forgets words in blocks that are free. Threads stand.
    pub(in super::super) fn forget_free(&mut self) {
        let Some(heaps) = self.heaps else { return };
        let mut kept = 0;
        for index in 0..self.hits.len() {
            let hit = self.hits[index];
            if hit.at == 0 || !self.is_free(&heaps, hit.at) {
                self.hits[kept] = hit;
                kept += 1;
            }
        }
        self.hits.set_length(kept);
    }

    fn is_free(&self, heaps: &Heaps, at: u64) -> bool {
        let place = self.mappings.partition_point(|it| it.end <= at);
        let Some(mapping) = self.mappings.get(place).filter(|it| it.start <= at) else {
            return false;
        };
        let is_first_heap = mapping.name(&self.text) == b"[heap]";
        if !(mapping.is_plain() || is_first_heap) || !mapping.is_writable() {
            return false;
        }
        let range = mapping.start..mapping.end;
        let inside = mapping.start..mapping.end - 7;
        let word = |at: u64| {
            if !inside.contains(&at) || !at.is_multiple_of(8) {
                return self.word(at);
            }
            // SAFETY: the mapping may be read and can't be unmapped, since the threads stand. If that is
            // wrong, this process ends, which is not the program but its tracer.
            Some(unsafe { std::ptr::with_exposed_provenance::<u64>(at as usize).read_volatile() })
        };
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
        heaps.is_free(&place, threads, word, || self.check_time().is_ok())
    }
}
