//! Each function over its kept corpus, and over what a seeded mutator makes of it: the same in every run.
//!
//! `HOTSWAP_FUZZ=N` has N times as many made.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use hotswap_fuzz::{TARGETS, Target};

/// Changes made to each file of a corpus: as many as its bytes allow in the time that tests may take.
const BYTES_READ: usize = 160 << 20;

/// Of one file, at most.
const MOST: usize = 30_000;

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }
}

/// Numbers at which something may go wrong.
const NUMBERS: [u64; 10] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 63,
    u64::MAX,
];

/// Changes bytes here and there, takes some away, and puts others in.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let end = (at + random.below(32)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 => {
                let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(64)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
}

/// Runs it; what it panics with is kept, so that it can be looked at.
fn run(name: &str, target: Target, bytes: &[u8]) {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| target(bytes)));
    if let Err(panic) = outcome {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-crash"));
        fs::write(&path, bytes).expect("the target folder can be written");
        eprintln!(
            "{name} panics with {}; mend it, and put that into its corpus",
            path.display()
        );
        panic::resume_unwind(panic);
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let entries = fs::read_dir(&folder).expect("each has a corpus");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
        .iter()
        .map(|path| fs::read(path).expect("it can be read"))
        .collect()
}

#[test]
fn nothing_panics() {
    let times = std::env::var("HOTSWAP_FUZZ")
        .ok()
        .and_then(|times| times.parse().ok());
    let times: usize = times.unwrap_or(1);
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        for (number, file) in corpus.iter().enumerate() {
            run(name, target, file);
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ number as u64);
            let each = BYTES_READ / corpus.len() / TARGETS.len() / (file.len() + 64);
            for _ in 0..each.min(MOST) * times {
                let mut bytes = file.clone();
                let other = &corpus[random.below(corpus.len())];
                change(&mut bytes, other, &mut random);
                run(name, target, &bytes);
            }
        }
    }
}
