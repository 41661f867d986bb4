//! Counts large allocations.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

#[global_allocator]
static COUNTING: Counting = Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: Mutex<Vec<Box<[u8; 4096]>>> = Mutex::new(Vec::new());

struct Counting;

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == 4096 {
            HELD.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() == 4096 {
            HELD.fetch_sub(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let mut blocks = BLOCKS.lock().unwrap();
    let done = if line == "make" {
        blocks.extend((0..64).map(|n| Box::new([n; 4096])));
        "made"
    } else {
        blocks.clear();
        "dropped"
    };
    format!("{} {done}, {} held", "one", HELD.load(Ordering::Relaxed))
}
