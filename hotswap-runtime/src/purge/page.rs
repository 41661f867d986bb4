//! Words of memory, read by the page.

use std::cell::Cell;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;

const WORDS: usize = PAGE as usize / size_of::<u64>();

/// Words of memory that does not change meanwhile: the page that was read last.
pub(super) struct Page {
    start: Cell<u64>,
    words: [Cell<u64>; WORDS],
}

impl Page {
    pub(super) fn none() -> Self {
        Self {
            start: Cell::new(u64::MAX),
            words: [const { Cell::new(0) }; WORDS],
        }
    }

    /// A word at a multiple of 8; `read` fills a page, or says that it can't be read.
    pub(super) fn word(&self, at: u64, read: impl Fn(u64, &mut [u8]) -> bool) -> Option<u64> {
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
