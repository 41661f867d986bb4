//! Cells and locks with one value inside: `Cell`, `RefCell`, `Mutex`, `RwLock`.
//!
//! None of them holds anything but its value on the systems where code can be swapped, so that there
//! is nothing to free when the value has been moved out.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, RwLock, TryLockError};

use crate::migrate::Migrate;
use crate::migrate::schema::{Of, Schema, Shape};

/// What can be done with such a cell, whatever is inside.
#[derive(Debug)]
pub struct Cellular {
    /// The type of the value inside.
    pub element: Of,
    /// Tells where the value is, or why it can't be had.
    ///
    /// # Safety
    ///
    /// A cell is at the address, and nobody uses it meanwhile.
    pub peek: unsafe fn(*const u8) -> Result<Peeked, &'static str>,
    /// Makes a cell at the last address of the value at the first, poisoned or not.
    ///
    /// # Safety
    ///
    /// A value is at the first address, which counts as moved afterwards. The last one is good for
    /// writing a cell.
    pub wrap: unsafe fn(*const u8, bool, *mut u8),
}

/// What is inside a cell.
#[derive(Debug)]
pub struct Peeked {
    /// Where the value is.
    pub value: *const u8,
    /// Whether a thread panicked while it had the lock.
    pub poisoned: bool,
}

impl Peeked {
    fn sound<T>(value: *mut T) -> Self {
        Self {
            value: value.cast(),
            poisoned: false,
        }
    }
}

impl<T: Migrate> Migrate for Cell<T> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Cellular(Cellular {
                element: T::schema,
                peek: |cell| {
                    // SAFETY: the promise of `Cellular::peek`.
                    let cell = unsafe { &*cell.cast::<Cell<T>>() };
                    Ok(Peeked::sound(cell.as_ptr()))
                },
                wrap: |value, _, place| {
                    // SAFETY: the promise of `Cellular::wrap`.
                    unsafe { wrap(value, place, Cell::<T>::new) };
                },
            }))
        }
    }
}

impl<T: Migrate> Migrate for RefCell<T> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Cellular(Cellular {
                element: T::schema,
                peek: |cell| {
                    // SAFETY: the promise of `Cellular::peek`.
                    let cell = unsafe { &*cell.cast::<RefCell<T>>() };
                    let free = cell.try_borrow_mut().is_ok();
                    free.then(|| Peeked::sound(cell.as_ptr()))
                        .ok_or("the `RefCell` is borrowed")
                },
                wrap: |value, _, place| {
                    // SAFETY: the promise of `Cellular::wrap`.
                    unsafe { wrap(value, place, RefCell::<T>::new) };
                },
            }))
        }
    }
}

impl<T: Migrate> Migrate for Mutex<T> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Cellular(Cellular {
                element: T::schema,
                peek: |mutex| {
                    // SAFETY: the promise of `Cellular::peek`.
                    let mutex = unsafe { &*mutex.cast::<Mutex<T>>() };
                    peek_locked(mutex.try_lock(), |guard| &raw mut **guard)
                        .ok_or("the `Mutex` is locked")
                },
                wrap: |value, poisoned, place| {
                    // SAFETY: the promise of `Cellular::wrap`.
                    let mutex = unsafe { wrap(value, place, Mutex::<T>::new) };
                    if poisoned {
                        poison(|| mutex.lock());
                    }
                },
            }))
        }
    }
}

impl<T: Migrate> Migrate for RwLock<T> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Cellular(Cellular {
                element: T::schema,
                peek: |lock| {
                    // SAFETY: the promise of `Cellular::peek`.
                    let lock = unsafe { &*lock.cast::<RwLock<T>>() };
                    peek_locked(lock.try_write(), |guard| &raw mut **guard)
                        .ok_or("the `RwLock` is locked")
                },
                wrap: |value, poisoned, place| {
                    // SAFETY: the promise of `Cellular::wrap`.
                    let lock = unsafe { wrap(value, place, RwLock::<T>::new) };
                    if poisoned {
                        poison(|| lock.write());
                    }
                },
            }))
        }
    }
}

/// Makes a cell of the value at an address.
///
/// # Safety
///
/// That of [`Cellular::wrap`], for the types `T` and `C`.
unsafe fn wrap<'a, T, C>(value: *const u8, place: *mut u8, make: fn(T) -> C) -> &'a C {
    let place = place.cast::<C>();
    // SAFETY: the caller's promise. `make` is a constructor that does not panic.
    unsafe {
        place.write(make(value.cast::<T>().read()));
        &*place
    }
}

/// The value behind a guard, unless somebody has the lock.
fn peek_locked<G, T>(
    attempt: Result<G, TryLockError<G>>,
    value: impl Fn(&mut G) -> *mut T,
) -> Option<Peeked> {
    match attempt {
        Ok(mut guard) => Some(Peeked::sound(value(&mut guard))),
        Err(TryLockError::Poisoned(poisoned)) => Some(Peeked {
            poisoned: true,
            ..Peeked::sound(value(&mut poisoned.into_inner()))
        }),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Poisons a lock as a panic would, without the message of one.
fn poison<G>(lock: impl FnOnce() -> G) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock();
        resume_unwind(Box::new(()));
    }));
    debug_assert!(outcome.is_err());
}
