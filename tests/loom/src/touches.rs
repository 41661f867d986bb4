//! Threads that use one piece of a container whose elements have still to be changed, under every schedule
//! that loom finds.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::pieces::stage::Stage;

/// A piece: its elements stand for memory whose type changes twice.
struct Piece {
    stage: Stage,
    elements: UnsafeCell<usize>,
    /// How many more changes work.
    fuse: AtomicUsize,
}

// SAFETY: that `stage` guards `elements` is what is tested; loom tells if it does not.
unsafe impl Sync for Piece {}
// SAFETY: as above.
unsafe impl Send for Piece {}

/// The last change.
const LAST: usize = 2;

impl Piece {
    fn new(fuse: usize) -> Arc<Self> {
        Arc::new(Self {
            stage: Stage::new(0),
            elements: UnsafeCell::new(0),
            fuse: AtomicUsize::new(fuse),
        })
    }

    fn touch(&self) -> Result<bool, ()> {
        if self.stage.is(LAST) {
            return Ok(false);
        }
        self.stage.advance(LAST, |reached| {
            let left = self.fuse.load(Ordering::Relaxed);
            if left == 0 {
                self.fuse.store(usize::MAX, Ordering::Relaxed);
                return Err(());
            }
            self.fuse.store(left - 1, Ordering::Relaxed);
            // SAFETY: it is this thread's turn; loom tells if somebody else is there.
            self.elements.with_mut(|elements| unsafe {
                assert_eq!(*elements, reached);
                *elements = reached + 1;
            });
            Ok(reached + 1)
        })
    }

    fn read(&self) -> usize {
        // SAFETY: all changes are done; loom tells if somebody writes.
        self.elements.with(|elements| unsafe { *elements })
    }
}

#[test]
fn elements_are_changed_once_and_then_read_by_all() {
    loom::model(|| {
        let piece = Piece::new(usize::MAX);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let piece = Arc::clone(&piece);
                thread::spawn(move || {
                    let changed = piece.touch().unwrap();
                    assert_eq!(piece.read(), LAST);
                    changed
                })
            })
            .collect();
        let own = piece.touch().unwrap();
        assert_eq!(piece.read(), LAST);
        let changed = threads
            .into_iter()
            .map(|it| usize::from(it.join().unwrap()));
        assert_eq!(changed.sum::<usize>() + usize::from(own), 1);
    });
}

#[test]
fn a_change_that_fails_is_gone_on_with_by_the_next() {
    for fuse in 0..LAST {
        loom::model(move || {
            let piece = Piece::new(fuse);
            let other = {
                let piece = Arc::clone(&piece);
                thread::spawn(move || piece.touch())
            };
            let outcomes = [piece.touch(), other.join().unwrap()];
            let failed = outcomes.iter().filter(|it| it.is_err()).count();
            assert_eq!((failed, piece.stage.reached()), (1, LAST));
            assert_eq!(outcomes.iter().filter(|it| **it == Ok(true)).count(), 1);
            assert_eq!(piece.read(), LAST);
        });
    }
}
