//! Guards: a cell's value for as long as they live.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::live::core::Hold;

/// Shared access to the value of a [`Live`](crate::Live) cell. Dropping it ends the access.
#[must_use = "the access ends when the guard is dropped"]
pub struct ReadGuard<'a, T> {
    value: NonNull<T>,
    _hold: Hold<'a>,
    _value: PhantomData<&'a T>,
}

/// Exclusive access to the value of a [`Live`](crate::Live) cell. Dropping it ends the access.
#[must_use = "the access ends when the guard is dropped"]
pub struct WriteGuard<'a, T> {
    value: NonNull<T>,
    _hold: Hold<'a>,
    _value: PhantomData<&'a mut T>,
}

// SAFETY: a guard gives `&T` to whatever thread has it, and may be given back anywhere.
unsafe impl<T: Sync> Send for ReadGuard<'_, T> {}
// SAFETY: a reference to a guard gives `&T`.
unsafe impl<T: Sync> Sync for ReadGuard<'_, T> {}
// SAFETY: a guard gives `&mut T` to whatever thread has it, and may be given back anywhere.
unsafe impl<T: Send> Send for WriteGuard<'_, T> {}
// SAFETY: a reference to a guard gives `&T`.
unsafe impl<T: Sync> Sync for WriteGuard<'_, T> {}

impl<'a, T> ReadGuard<'a, T> {
    /// Access to the `T` at `value`, which is there and of this layout as long as the cell is held.
    #[inline(always)]
    pub(crate) fn new(value: NonNull<T>, hold: Hold<'a>) -> Self {
        Self {
            value,
            _hold: hold,
            _value: PhantomData,
        }
    }
}

impl<'a, T> WriteGuard<'a, T> {
    /// As [`ReadGuard::new`]; the cell is held alone.
    #[inline(always)]
    pub(crate) fn new(value: NonNull<T>, hold: Hold<'a>) -> Self {
        Self {
            value,
            _hold: hold,
            _value: PhantomData,
        }
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the value is there as long as the cell is held, and nobody holds it alone.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the value is there as long as the cell is held, and this guard holds it alone.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { self.value.as_mut() }
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: fmt::Display> fmt::Display for ReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: fmt::Display> fmt::Display for WriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}
