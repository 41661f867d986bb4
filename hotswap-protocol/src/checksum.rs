//! The checksum of an image: FNV-1a over 64-bit words, with the length mixed in last.
//!
//! It guards against truncated and half-written files, not against forgery. The loop is plain
//! because it runs inside programs that are compiled without optimisation.
//! Source: Fowler, Noll, Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>, with words for bytes.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A checksum in the making, for content that arrives in pieces.
#[derive(Debug, Clone)]
pub struct Checksum {
    hash: u64,
    length: u64,
    tail: [u8; 8],
    tail_length: usize,
}

impl Checksum {
    /// The checksum of nothing so far.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hash: OFFSET_BASIS,
            length: 0,
            tail: [0; 8],
            tail_length: 0,
        }
    }

    /// Adds `bytes` to the content. Where the pieces are cut does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let mut rest = bytes;
        if self.tail_length > 0 {
            let taken = rest.len().min(8 - self.tail_length);
            self.keep(&rest[..taken]);
            rest = &rest[taken..];
            if self.tail_length == 8 {
                self.flush_tail();
            }
        }
        let (words, tail) = rest.as_chunks::<8>();
        self.hash = mix_words(self.hash, words);
        self.keep(tail);
    }

    /// The checksum of all content: its words of eight bytes, little-endian, the last padded with
    /// zeros, then its length in bytes as one more word.
    #[must_use]
    pub fn finish(mut self) -> u64 {
        if self.tail_length > 0 {
            self.flush_tail();
        }
        mix(self.hash, self.length)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.tail[self.tail_length..self.tail_length + bytes.len()].copy_from_slice(bytes);
        self.tail_length += bytes.len();
    }

    fn flush_tail(&mut self) {
        self.hash = mix(self.hash, u64::from_le_bytes(self.tail));
        self.tail = [0; 8];
        self.tail_length = 0;
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of `bytes` as a whole.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = Checksum::new();
    sum.update(bytes);
    sum.finish()
}

fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(PRIME)
}

fn mix_words(mut hash: u64, words: &[[u8; 8]]) -> u64 {
    let mut index = 0;
    while index < words.len() {
        hash = (hash ^ u64::from_le_bytes(words[index])).wrapping_mul(PRIME);
        index += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word, without the shortcuts of the real one.
    fn reference(bytes: &[u8]) -> u64 {
        let mut padded = bytes.to_vec();
        while !padded.len().is_multiple_of(8) {
            padded.push(0);
        }
        let words = padded
            .chunks(8)
            .map(|word| word.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b)));
        words
            .chain([bytes.len() as u64])
            .fold(OFFSET_BASIS, |hash, word| (hash ^ word).wrapping_mul(PRIME))
    }

    #[test]
    fn agrees_with_the_definition_at_every_tail_length() {
        let bytes: Vec<u8> = (0..=40).map(|n| n * 5 + 3).collect();
        for length in 0..bytes.len() {
            assert_eq!(
                checksum(&bytes[..length]),
                reference(&bytes[..length]),
                "{length}"
            );
        }
    }

    #[test]
    fn cuts_do_not_matter() {
        let bytes: Vec<u8> = (0..=40).collect();
        for first in 0..=20 {
            for second in first..bytes.len() {
                let mut sum = Checksum::new();
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    sum.update(piece);
                }
                assert_eq!(sum.finish(), reference(&bytes), "{first} {second}");
            }
        }
    }

    #[test]
    fn is_fixed_for_ever() {
        assert_eq!(checksum(b""), 0xaf63_bd4c_8601_b7df);
        assert_eq!(checksum(b"hotswap!"), reference(b"hotswap!"));
    }

    #[test]
    fn tells_padding_from_content() {
        assert_ne!(checksum(&[1]), checksum(&[1, 0]));
        assert_ne!(checksum(&[]), checksum(&[0; 8]));
    }
}
