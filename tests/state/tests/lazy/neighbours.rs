//! Defaults that use other elements.

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use hotswap::{Live, Migrate, Pieces};
use hotswap_state::{cell, migrate};

use super::{PIECE, changed, end, panic_of};

/// Whether defaults use elements.
static REACHES_OUT: AtomicBool = AtomicBool::new(false);

/// The cell that they find.
static GRID: AtomicPtr<Live<grid::New>> = AtomicPtr::new(std::ptr::null_mut());

mod grid {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct Old {
        #[migrate(lazy)]
        pub all: Pieces<OldCell>,
    }

    #[derive(Migrate)]
    pub struct OldCell {
        pub number: usize,
    }

    #[derive(Migrate)]
    pub struct New {
        #[migrate(lazy)]
        pub all: Pieces<NewCell>,
    }

    #[derive(Migrate)]
    pub struct NewCell {
        pub number: usize,
        #[migrate(default = neighbour())]
        pub neighbour: usize,
    }
}

/// Reads the element of another piece, as code of the new version would.
fn neighbour() -> usize {
    if !REACHES_OUT.load(Ordering::SeqCst) {
        return 1;
    }
    // SAFETY: the cell is there when this is called.
    let cell = unsafe { &*GRID.load(Ordering::SeqCst) };
    cell.read().all[PIECE].number
}

pub fn a_default_can_not_use_elements_that_wait() {
    let all = (0..=PIECE).map(|number| grid::OldCell { number });
    let cell = cell(grid::Old::default);
    cell.write().all = all.collect();
    let cell = changed(migrate::<_, grid::New>(cell, &[]));
    GRID.store(std::ptr::from_ref(cell).cast_mut(), Ordering::SeqCst);
    REACHES_OUT.store(true, Ordering::SeqCst);
    let text = panic_of(|| assert_eq!(cell.read().all[0].number, 0));
    assert!(text.contains("used by a function that makes"), "{text}");
    REACHES_OUT.store(false, Ordering::SeqCst);
    assert_eq!(cell.read().all[PIECE].neighbour, 1);
    REACHES_OUT.store(true, Ordering::SeqCst);
    assert_eq!(cell.read().all[0].neighbour, PIECE);
    REACHES_OUT.store(false, Ordering::SeqCst);
    cell.write().all.clear();
    assert!(cell.read().all.is_empty());
    end(cell);
}
