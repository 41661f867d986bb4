//! Counts in statics of every width, by plain and atomic operations.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
            Ordering::Relaxed,
        },
    },
};

const STEP: u8 = 1;

static HITS: AtomicU32 = AtomicU32::new(0);
static FLAGS: AtomicU16 = AtomicU16::new(0);
static BYTE: AtomicU8 = AtomicU8::new(0);
static WORD: AtomicU64 = AtomicU64::new(0);
static SIGNED: AtomicI64 = AtomicI64::new(0);
static EXCHANGED: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU32 = AtomicU32::new(7);
static SEEN: AtomicBool = AtomicBool::new(false);
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static mut RAW: [u32; 3] = [0, 1, 2];
static mut NARROW: u8 = 0;
static mut WIDE: u64 = 0;
static mut UNREAD: u64 = 0;
static mut TABLE: Table = Table([0; 4096]);
static PLACES: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

#[repr(align(64))]
struct Table([u8; 4096]);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", count());
    }
}

#[hotswap::entry]
fn count() -> String {
    let hits = HITS.fetch_add(u32::from(STEP), Relaxed) + u32::from(STEP);
    let flags = FLAGS.load(Relaxed);
    FLAGS.fetch_or(flags << 1 | 1, Relaxed);
    LARGEST.fetch_max(hits, Relaxed);
    NAMES.lock().unwrap().push(hits.to_string());
    SEEN.store(true, Relaxed);
    format!(
        "hits {hits}, flags {}, widths {}, exchange {}, raw {}, largest {}, table {}, {}",
        FLAGS.load(Relaxed),
        widths(),
        exchange(),
        raw(),
        LARGEST.load(Relaxed),
        table(),
        places(),
    )
}

fn widths() -> String {
    BYTE.fetch_add(STEP, Relaxed);
    WORD.fetch_add(STEP.into(), Relaxed);
    SIGNED.fetch_sub(STEP.into(), Relaxed);
    // SAFETY: one thread uses these.
    let (narrow, wide) = unsafe {
        NARROW += STEP;
        WIDE += u64::from(STEP);
        UNREAD += 1;
        (NARROW, WIDE)
    };
    let (byte, word) = (BYTE.load(Relaxed), WORD.load(Relaxed));
    format!("{byte} {word} {narrow} {wide} {}", SIGNED.load(Relaxed))
}

fn exchange() -> u64 {
    loop {
        let old = EXCHANGED.load(Relaxed);
        let new = old + u64::from(STEP);
        if EXCHANGED.compare_exchange(old, new, Relaxed, Relaxed).is_ok() {
            return EXCHANGED.swap(new, Relaxed);
        }
    }
}

fn raw() -> String {
    // SAFETY: one thread uses these.
    let raw = unsafe {
        for index in 0..3 {
            RAW[index] += 1;
        }
        RAW
    };
    raw.map(|n| n.to_string()).join(" ")
}

fn table() -> usize {
    // SAFETY: one thread uses it.
    let table = unsafe { &mut *(&raw mut TABLE) };
    table.0.iter_mut().for_each(|byte| *byte += 1);
    table.0.iter().filter(|byte| **byte == table.0[4095]).count()
}

/// Whether two statics are where they were the first time.
fn places() -> &'static str {
    let now = [(&raw const NAMES).addr(), (&raw const TABLE).addr()];
    for (place, now) in PLACES.iter().zip(now) {
        let before = place.swap(now, Relaxed);
        if before != 0 && before != now || NAMES.lock().unwrap().is_empty() {
            return "moved";
        }
    }
    "same place"
}
