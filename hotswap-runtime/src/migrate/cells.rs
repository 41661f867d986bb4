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
    /// The same where others may use the cell meanwhile: it is kept from them. None for cells that only
    /// one thread can use.
    ///
    /// # Safety
    ///
    /// A cell is at the address, and stays there until what is held is dropped.
    pub hold: Option<Hold>,
    /// Makes a cell at the last address of the value at the first, poisoned or not.
    ///
    /// # Safety
    ///
    /// A value is at the first address, which counts as moved afterwards. The last one is good for
    /// writing a cell.
    pub wrap: unsafe fn(*const u8, bool, *mut u8),
}

/// Tells where the value of a cell is, and keeps others from it.
pub type Hold = unsafe fn(*const u8) -> Result<(Peeked, Held), &'static str>;

/// A lock that is held until this is dropped, on the thread that took it.
#[derive(Debug)]
pub struct Held {
    guard: *mut u8,
    free: unsafe fn(*mut u8),
}

impl Held {
    fn new<G>(guard: G) -> Self {
        Self {
            guard: Box::into_raw(Box::new(guard)).cast(),
            free: |guard| {
                // SAFETY: only `drop` calls this, once, with the address that came of this type.
                drop(unsafe { Box::from_raw(guard.cast::<G>()) });
            },
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the guard was made for this function, and its lock is still there by the promise of
        // `Cellular::hold`.
        unsafe { (self.free)(self.guard) };
    }
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

impl Cellular {
    /// A `Cell` of a value of this type.
    pub(crate) const fn cell<T>(element: Of) -> Self {
        Self {
            element,
            peek: |cell| {
                // SAFETY: the promise of `Cellular::peek`.
                let cell = unsafe { &*cell.cast::<Cell<T>>() };
                Ok(Peeked::sound(cell.as_ptr()))
            },
            hold: None,
            wrap: |value, _, place| {
                // SAFETY: the promise of `Cellular::wrap`.
                unsafe { wrap(value, place, Cell::<T>::new) };
            },
        }
    }

    /// A `RefCell` of a value of this type.
    pub(crate) const fn ref_cell<T>(element: Of) -> Self {
        Self {
            element,
            peek: |cell| {
                // SAFETY: the promise of `Cellular::peek`.
                let cell = unsafe { &*cell.cast::<RefCell<T>>() };
                let free = cell.try_borrow_mut().is_ok();
                free.then(|| Peeked::sound(cell.as_ptr()))
                    .ok_or("the `RefCell` is borrowed")
            },
            hold: None,
            wrap: |value, _, place| {
                // SAFETY: the promise of `Cellular::wrap`.
                unsafe { wrap(value, place, RefCell::<T>::new) };
            },
        }
    }

    /// A `Mutex` around a value of this type.
    pub(crate) const fn mutex<T>(element: Of) -> Self {
        Self {
            element,
            peek: |mutex| {
                // SAFETY: the promise of `Cellular::peek`.
                let mutex = unsafe { &*mutex.cast::<Mutex<T>>() };
                peek_locked(mutex.try_lock(), |guard| &raw mut **guard)
                    .map(|(inside, _)| inside)
                    .ok_or("the `Mutex` is locked")
            },
            hold: Some(|mutex| {
                // SAFETY: the promise of `Cellular::hold`.
                let mutex = unsafe { &*mutex.cast::<Mutex<T>>() };
                peek_locked(mutex.try_lock(), |guard| &raw mut **guard)
                    .map(|(inside, guard)| (inside, Held::new(guard)))
                    .ok_or("the `Mutex` is locked")
            }),
            wrap: |value, poisoned, place| {
                // SAFETY: the promise of `Cellular::wrap`.
                let mutex = unsafe { wrap(value, place, Mutex::<T>::new) };
                if poisoned {
                    poison(|| mutex.lock());
                }
            },
        }
    }

    /// An `RwLock` around a value of this type.
    pub(crate) const fn rw_lock<T>(element: Of) -> Self {
        Self {
            element,
            peek: |lock| {
                // SAFETY: the promise of `Cellular::peek`.
                let lock = unsafe { &*lock.cast::<RwLock<T>>() };
                peek_locked(lock.try_write(), |guard| &raw mut **guard)
                    .map(|(inside, _)| inside)
                    .ok_or("the `RwLock` is locked")
            },
            hold: Some(|lock| {
                // SAFETY: the promise of `Cellular::hold`.
                let lock = unsafe { &*lock.cast::<RwLock<T>>() };
                peek_locked(lock.try_write(), |guard| &raw mut **guard)
                    .map(|(inside, guard)| (inside, Held::new(guard)))
                    .ok_or("the `RwLock` is locked")
            }),
            wrap: |value, poisoned, place| {
                // SAFETY: the promise of `Cellular::wrap`.
                let lock = unsafe { wrap(value, place, RwLock::<T>::new) };
                if poisoned {
                    poison(|| lock.write());
                }
            },
        }
    }
}

macro_rules! cellular {
    ($($cell:ident $made:ident),+) => {$(
        impl<T: Migrate> Migrate for $cell<T> {
            fn schema() -> &'static Schema {
                const { &Schema::of::<Self>(Shape::Cellular(Cellular::$made::<T>(T::schema))) }
            }
        }
    )+};
}

cellular!(Cell cell, RefCell ref_cell, Mutex mutex, RwLock rw_lock);

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

/// The value behind a guard, and that, unless somebody has the lock.
fn peek_locked<G, T>(
    attempt: Result<G, TryLockError<G>>,
    value: impl Fn(&mut G) -> *mut T,
) -> Option<(Peeked, G)> {
    let (mut guard, poisoned) = match attempt {
        Ok(guard) => (guard, false),
        Err(TryLockError::Poisoned(poisoned)) => (poisoned.into_inner(), true),
        Err(TryLockError::WouldBlock) => return None,
    };
    let inside = Peeked {
        poisoned,
        ..Peeked::sound(value(&mut guard))
    };
    Some((inside, guard))
}

/// Poisons a lock as a panic would, without the message of one.
fn poison<G>(lock: impl FnOnce() -> G) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock();
        resume_unwind(Box::new(()));
    }));
    debug_assert!(outcome.is_err());
}
