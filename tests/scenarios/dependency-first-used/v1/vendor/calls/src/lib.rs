//! Counts calls.

mod seldom;

use std::sync::atomic::{AtomicU32, Ordering};

pub use seldom::twice;

static CALLS: AtomicU32 = AtomicU32::new(0);

pub fn once() -> String {
    format!("called {}", CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}
