//! Keeps state in several places.

use std::sync::atomic::{AtomicU32, Ordering};

pub static PUBLIC: AtomicU32 = AtomicU32::new(0);
static PRIVATE: AtomicU32 = AtomicU32::new(0);

pub fn private() -> String {
    format!("private {}", PRIVATE.fetch_add(1, Ordering::Relaxed) + 1)
}

#[inline]
pub fn inline() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

pub fn nested<T>() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(size_of::<T>() as u32, Ordering::Relaxed) + 1
}
