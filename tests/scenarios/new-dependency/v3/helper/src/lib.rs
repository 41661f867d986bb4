//! Counts what it formats.

use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub fn format(number: u32) -> String {
    format!("{number} by helper {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
