//! Stable 128-bit hashing: equal facts give equal fingerprints in every process and on every machine.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// A deep fingerprint: equal for equal facts, in any process, on any machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint folded to 64 bits.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        (self.0 >> 64) as u64 ^ self.0 as u64
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Mixes words into two lanes of 64 bits by folded multiplication, as wyhash does.
///
/// It resists accidents, not attackers: both sides of a comparison come from the user's own build.
#[derive(Clone, Copy)]
pub(crate) struct Mixer(u64, u64);

const FIRST: u64 = 0xa076_1d64_78bd_642f;
const SECOND: u64 = 0xe703_7ed1_a0b4_28db;
const THIRD: u64 = 0x8ebc_6af0_9c88_c6e3;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Mixer {
    pub(crate) fn new(domain: u64) -> Mixer {
        Mixer(fold(domain ^ SECOND, FIRST), fold(domain ^ THIRD, SECOND))
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, FIRST) ^ SECOND;
        self.1 = fold(self.1.rotate_left(29) ^ word ^ THIRD, SECOND) ^ FIRST;
    }

    pub(crate) fn wide(&mut self, value: u128) {
        self.word(value as u64);
        self.word((value >> 64) as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        self.word(u64::from_le_bytes(last));
        self.word(bytes.len() as u64);
    }

    pub(crate) fn finish(self) -> u128 {
        u128::from(fold(self.0, THIRD ^ self.1)) | u128::from(fold(self.1, FIRST ^ self.0)) << 64
    }
}

pub(crate) fn of_bytes(bytes: &[u8]) -> u128 {
    let mut mixer = Mixer::new(0);
    mixer.bytes(bytes);
    mixer.finish()
}

pub(crate) fn of_symbol(name: &str) -> u64 {
    Fingerprint(of_bytes(name.as_bytes())).as_u64()
}

/// A quick hasher for maps in memory, keyed by offsets, places or fingerprints.
#[derive(Default)]
pub(crate) struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        self.write_u64(u64::from_le_bytes(last) ^ ((tail.len() as u64) << 56));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0 ^ value ^ THIRD, FIRST);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

pub(crate) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;
pub(crate) type QuickSet<K> = std::collections::HashSet<K, BuildHasherDefault<QuickHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_length_count() {
        let of = |parts: &[&[u8]]| {
            let mut mixer = Mixer::new(1);
            for part in parts {
                mixer.bytes(part);
            }
            mixer.finish()
        };
        let all = [
            of(&[b"ab", b"c"]),
            of(&[b"a", b"bc"]),
            of(&[b"abc"]),
            of(&[b"abc\0"]),
            of(&[b"cba"]),
            of(&[]),
            of(&[b""]),
            of(&[b"12345678"]),
            of(&[b"1234567", b"8"]),
        ];
        let distinct: std::collections::BTreeSet<u128> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_fingerprint_prints_as_32_digits() {
        assert_eq!(Fingerprint(10).to_string(), format!("{:0>32}", "a"));
    }
}
