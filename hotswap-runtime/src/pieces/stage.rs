//! How far the elements of one piece have come, and whose turn it is to take them further.

use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// Changes of a type are numbered; this is the number of the last one that a piece has been through.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Written by the thread that has the turn, after the elements.
    reached: AtomicUsize,
    turn: Mutex<()>,
}

impl Stage {
    pub(crate) fn new(reached: usize) -> Self {
        Self {
            reached: AtomicUsize::new(reached),
            turn: Mutex::new(()),
        }
    }

    /// Whether the elements have come so far. They are not written any more then.
    #[inline]
    pub(crate) fn is(&self, number: usize) -> bool {
        self.reached.load(Ordering::Acquire) == number
    }

    /// The last change that the elements have been through. Others may take them further meanwhile.
    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::Acquire)
    }

    /// Takes the elements as far as `to`: `step` is given the number that is reached, takes them further
    /// while nobody else does, and tells how far. Tells whether there was anything to do here.
    ///
    /// If a step fails or panics, those before it stand, and the next caller goes on from there.
    pub(crate) fn advance<E>(
        &self,
        to: usize,
        mut step: impl FnMut(usize) -> Result<usize, E>,
    ) -> Result<bool, E> {
        let _turn = lock(&self.turn);
        let began = self.reached.load(Ordering::Relaxed);
        let mut reached = began;
        while reached != to {
            reached = step(reached)?;
            self.reached.store(reached, Ordering::Release);
        }
        Ok(began != to)
    }
}
