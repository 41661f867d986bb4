//! Finds words that refer to a range of addresses, plain or as the C library disguises them.

use std::ops::Range;

/// Bits by which the C library turns a disguised pointer, after it was combined with the guard.
const TURN: u32 = 17;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    start: u64,
    bytes: u64,
    /// The value that the C library combines pointers with.
    guard: u64,
}

impl Wanted {
    /// Words into this range.
    pub(super) fn new(range: &Range<usize>) -> Self {
        Self {
            start: range.start as u64,
            bytes: range.len() as u64,
            guard: pointer_guard(),
        }
    }

    /// The range.
    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.start + self.bytes
    }

    /// The address inside the range that the word stands for.
    pub(super) fn address(&self, word: u64) -> Option<u64> {
        [word, word.rotate_right(TURN) ^ self.guard]
            .into_iter()
            .find(|address| address.wrapping_sub(self.start) < self.bytes)
    }

    /// The address as the C library disguises it.
    #[cfg(test)]
    pub(super) fn disguise(&self, address: u64) -> u64 {
        (address ^ self.guard).rotate_left(TURN)
    }

    /// The first word in `from..to`, both multiples of 8, that stands for such an address; `to` if there
    /// is none.
    ///
    /// # Safety
    ///
    /// The range can be read.
    pub(super) unsafe fn find(&self, from: usize, to: usize) -> usize {
        let mut at = from;
        // In assembly, since the runtime is compiled as the user's program is, often without any
        // optimisation, and the program stands while this runs.
        // SAFETY: by this function's contract; it reads from `at` up to `to` and changes nothing.
        unsafe {
            std::arch::asm!(
                "2:",
                "cmp {at}, {to}",
                "jae 3f",
                "mov {word}, [{at}]",
                "mov {turned}, {word}",
                "ror {turned}, 17",
                "xor {turned}, {guard}",
                "sub {word}, {start}",
                "cmp {word}, {bytes}",
                "jb 3f",
                "sub {turned}, {start}",
                "cmp {turned}, {bytes}",
                "jb 3f",
                "add {at}, 8",
                "jmp 2b",
                "3:",
                at = inout(reg) at,
                to = in(reg) to,
                word = out(reg) _,
                turned = out(reg) _,
                guard = in(reg) self.guard,
                start = in(reg) self.start,
                bytes = in(reg) self.bytes,
                options(nostack, readonly),
            );
        }
        at
    }
}

/// The C library's guard, which its thread descriptors hold at a fixed place.
fn pointer_guard() -> u64 {
    let guard;
    // SAFETY: on x86_64 with glibc `fs` points to the thread's descriptor, whose seventh word this is.
    unsafe {
        std::arch::asm!("mov {}, fs:[0x30]", out(reg) guard, options(nostack, readonly, pure));
    }
    guard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_they_are_and_disguised() {
        let wanted = Wanted::new(&(0x7000_0000..0x7000_2000));
        let disguised = |address| wanted.disguise(address);
        let table = [
            (0x7000_0000, Some(0x7000_0000)),
            (0x7000_1fff, Some(0x7000_1fff)),
            (0x7000_2000, None),
            (0x6fff_ffff, None),
            (0, None),
            (u64::MAX, None),
            (disguised(0x7000_1000), Some(0x7000_1000)),
            (disguised(0x7000_2000), None),
        ];
        for (word, address) in table {
            assert_eq!(wanted.address(word), address, "{word:#x}");
            for place in 0..4 {
                let mut words = [1u64; 4];
                words[place] = word;
                let from = words.as_ptr().expose_provenance();
                // SAFETY: these are the words of a live array.
                let found = unsafe { wanted.find(from, from + 32) };
                let expected = if address.is_some() { place * 8 } else { 32 };
                assert_eq!(found - from, expected, "{word:#x} at {place}");
            }
        }
    }
}
