//! What tests of faults need: an allocator that counts, values that notice when they are dropped twice,
//! and functions that fail when they are to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

/// Counts bytes that are allocated.
#[derive(Debug)]
pub struct Counting;

/// How many there are.
pub static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

/// How many more of the user's functions work; below 0 all do.
pub static FUSE: AtomicIsize = AtomicIsize::new(-1);

/// Whether a function that was to fail did.
#[must_use]
pub fn burns() -> bool {
    FUSE.fetch_sub(1, Ordering::SeqCst) == 0
}

/// Panics if a function is to fail.
///
/// # Panics
///
/// It is.
pub fn may_panic() {
    assert!(!burns(), "the fuse");
}

const MOST: usize = 4096;

/// Which counted values are alive.
static ALIVE: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];
/// The number of the next counted value.
pub static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A value that is noticed when it is dropped twice, and that owns memory.
#[derive(hotswap::Migrate)]
pub struct Counted {
    id: usize,
    text: Box<str>,
}

impl Counted {
    /// One that is alive.
    ///
    /// # Panics
    ///
    /// There are too many.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let id = NEXT.fetch_add(1, Ordering::SeqCst);
        ALIVE[id].store(true, Ordering::SeqCst);
        Self {
            id,
            text: format!("value {id}").into(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(*self.text, *format!("value {}", self.id));
        let was_alive = ALIVE[self.id].swap(false, Ordering::SeqCst);
        assert!(was_alive, "{} is dropped twice", self.id);
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Which counted values are alive.
#[must_use]
pub fn alive() -> Vec<usize> {
    (0..MOST)
        .filter(|&id| ALIVE[id].load(Ordering::SeqCst))
        .collect()
}

/// Takes a value for gone that was lost on purpose.
pub fn forget(id: usize) {
    ALIVE[id].store(false, Ordering::SeqCst);
}

/// Prepares a process whose allocations are counted: what the standard library keeps for a thread that
/// waits for messages is allocated now, since whether one ever waits is a matter of chance. Panics of
/// functions under migration, which are meant, are not printed.
///
/// # Panics
///
/// Never.
pub fn begin() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let waited = receiver.recv_timeout(std::time::Duration::from_millis(1));
    assert!(waited.is_err(), "nothing was sent");
    drop(sender);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some("hotswap-migrate") {
            usual(panic);
        }
    }));
}
