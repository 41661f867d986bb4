//! Cells that a swap tries to get for itself: who would begin long work with one may wait.
//!
//! Between two attempts of the swap a cell is free for all. What holds cells for longer than one piece of
//! work, as a call of a server does until its reply is fetched, would never leave it to the swap.

use std::time::{Duration, Instant};

use crate::live::handle::Handle;
use crate::live::versions;
use crate::sync::{AtomicUsize, Condvar, Mutex, Ordering, current_thread, lock, wait};

/// The addresses of their handles.
static WANTED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
/// How many there are, so that nobody locks when there are none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The longest wait: what the swap waits for may need this very thread.
const PATIENCE: Duration = Duration::from_millis(250);

/// Cells that are wanted until this is dropped.
#[derive(Debug)]
pub(crate) struct Wanted(Vec<usize>);

impl Wanted {
    pub(crate) fn new(handles: impl Iterator<Item = &'static Handle>) -> Self {
        let mine: Vec<usize> = handles
            .map(|handle| std::ptr::from_ref(handle).addr())
            .collect();
        let mut wanted = lock(&WANTED);
        wanted.extend(&mine);
        COUNT.store(wanted.len(), Ordering::Relaxed);
        Self(mine)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut wanted = lock(&WANTED);
        wanted.retain(|address| !self.0.contains(address));
        COUNT.store(wanted.len(), Ordering::Relaxed);
        CHANGED.notify_all();
    }
}

/// Lets a swap go first that wants the cell, but not for long, and not if this thread holds a cell: then
/// the swap may wait for it.
pub(crate) fn give_way(handle: &Handle) {
    if COUNT.load(Ordering::Relaxed) == 0 || versions::are_held_by(current_thread().id()) {
        return;
    }
    let address = std::ptr::from_ref(handle).addr();
    let end = Instant::now() + PATIENCE;
    let mut wanted = lock(&WANTED);
    while wanted.contains(&address) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        (wanted, _) = wait(&CHANGED, wanted, Some(left));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::live::Live;

    #[test]
    fn who_gives_way_waits_for_the_end_of_the_swap() {
        static CELL: Live<u32> = Live::new(u32::default);
        static OTHER: Live<u32> = Live::new(u32::default);
        give_way(CELL.handle());
        let wanted = Wanted::new([CELL.handle()].into_iter());
        give_way(OTHER.handle());
        let waits = thread::spawn(|| {
            let began = Instant::now();
            give_way(CELL.handle());
            began.elapsed()
        });
        // It ends by itself, as what the swap waits for may be this thread.
        assert!(waits.join().unwrap() >= PATIENCE);
        drop(wanted);
        assert!(lock(&WANTED).is_empty());
        give_way(CELL.handle());
    }
}
