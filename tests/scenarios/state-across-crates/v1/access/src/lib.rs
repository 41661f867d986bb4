//! Knows nothing of what it gives access to.

use hotswap::{Live, Migrate};

pub fn with<T: Migrate, R>(cell: &Live<T>, look: impl FnOnce(&mut T) -> R) -> R {
    look(&mut cell.write())
}
