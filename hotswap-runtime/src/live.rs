//! `Live`: a cell for state that is carried over when its type changes.

pub(crate) mod core;
pub(crate) mod facts;
mod guard;
pub(crate) mod handle;
pub(crate) mod lock;
pub(crate) mod restore;
#[cfg(feature = "serde")]
mod saver;
pub(crate) mod versions;

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr;

pub use guard::{ReadGuard, WriteGuard};

use crate::live::core::Mark;
use crate::live::facts::FactsOf;
use crate::live::handle::{Access, Handle, Refusal};
use crate::live::lock::{Mode, Patience};
use crate::live::versions::Init;
use crate::migrate::Migrate;
use crate::on_panic;
use crate::sync::AtomicPtr;

/// A cell whose value survives an edit of its type.
///
/// It stands in a `static`, and hands out its value as a lock does: to many readers, or to one
/// writer. The first use makes the value. When an edit changes the type, the value is carried over
/// as [`Migrate`] says, once nobody uses it; new code then finds the new value in the same
/// cell. Code of an older version that asks afterwards is refused: it never sees memory of another
/// layout.
///
/// Without `cargo hotswap` it is an ordinary cell with a lock.
///
/// ```
/// use hotswap::Live;
///
/// #[derive(hotswap::Migrate, Default)]
/// struct World {
///     round: u64,
/// }
///
/// static WORLD: Live<World> = Live::new(World::default);
///
/// WORLD.write().round += 1;
/// assert_eq!(WORLD.read().round, 1);
/// ```
///
/// # Guards and swaps
///
/// A swap that changes the type waits until all guards are dropped, at most five seconds, and is
/// refused otherwise: then the tool names who holds which cell since when. So a guard is to be held for
/// one piece of work, not for the life of a thread. Guards may be sent to other threads, and held
/// across an `await`; what asks meanwhile blocks its thread.
///
/// While a writer or a swap waits, new readers wait too, except for those of a thread that
/// reads the cell already. A thread that asks for writing while it has a guard of the same cell
/// waits for itself, for ever.
///
/// A panic while a guard is held does not poison the cell: the next one finds the value as the panic
/// left it. Keep a `Mutex` inside where that matters.
///
/// # Where a cell can stand
///
/// Anywhere, but only in a `static` of its own is it known by a path, so that its value can be
/// carried over. The type of others must not change: the edit is refused.
#[repr(C)]
pub struct Live<T: Migrate> {
    // The first three fields are those of `Handle`.
    core: AtomicPtr<core::Core>,
    init: fn() -> T,
    facts: FactsOf,
    value: PhantomData<fn() -> T>,
    // Without this, `Live<T>` would be `Sync` for every `T`.
    not_sync: PhantomData<*mut ()>,
}

// SAFETY: the handle hands out `&T` and `&mut T` to whatever thread asks, under a lock.
unsafe impl<T: Migrate + Send + Sync> Sync for Live<T> {}
// SAFETY: the value moves with the handle, which is borrowed by all that use it.
unsafe impl<T: Migrate + Send> Send for Live<T> {}

/// Why [`Live::try_read`] and [`Live::try_write`] gave no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The value has another layout than the code that asks was compiled for.
    #[error("the value belongs to another version than the code that asks for it")]
    Stale,
    /// Somebody else uses the cell, or makes its first value.
    #[error("somebody else uses the cell")]
    Busy,
}

impl<T: Migrate> Live<T> {
    /// A cell whose value is made by `init` at the first use.
    ///
    /// If `init` panics, so does the access, and the next one calls it again. It must not use the
    /// cell itself.
    #[must_use]
    pub const fn new(init: fn() -> T) -> Self {
        Self {
            core: AtomicPtr::new(ptr::null_mut()),
            init,
            facts: facts::plain::<T>,
            value: PhantomData,
            not_sync: PhantomData,
        }
    }

    /// The same, and the value is carried over when the program is started again.
    ///
    /// `cargo hotswap restart`, `--on-refused=restart` and [`restart`](crate::restart()) save it as
    /// `serde` sees it, and in the new process it takes the place of what `init` would make. So the
    /// whole value has to be in that form: fields with `#[serde(skip)]` get their defaults. The type
    /// may be another one in the new process, as far as its `serde` attributes (`default`, `alias`)
    /// let it read what was saved. What can't be saved or read is named, and the cell starts with
    /// `init`.
    ///
    /// With the feature `serde`. Without the tool it is the same as [`new`](Self::new).
    ///
    /// ```
    /// use hotswap::Live;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(hotswap::Migrate, Default, Serialize, Deserialize)]
    /// struct World {
    ///     round: u64,
    ///     #[serde(default)]
    ///     name: String,
    /// }
    ///
    /// static WORLD: Live<World> = Live::saved(World::default);
    /// ```
    #[cfg(feature = "serde")]
    #[must_use]
    pub const fn saved(init: fn() -> T) -> Self
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
    {
        Self {
            core: AtomicPtr::new(ptr::null_mut()),
            init,
            facts: saver::saved::<T>,
            value: PhantomData,
            not_sync: PhantomData,
        }
    }

    /// Waits for shared access.
    ///
    /// # Panics
    ///
    /// The code that asks belongs to an older version, and the type has changed since. Or it is called
    /// by a function that makes values in a swap, which holds this cell.
    #[inline(always)]
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, T> {
        let access = access(Mode::Shared, Mark::here(), Patience::Endless);
        let (value, hold) = open(self.handle().open(access, make::<T>));
        ReadGuard::new(value.cast(), hold)
    }

    /// Waits for exclusive access.
    ///
    /// # Panics
    ///
    /// As for [`read`](Self::read).
    #[inline(always)]
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, T> {
        let access = access(Mode::Exclusive, Mark::here(), Patience::Endless);
        let (value, hold) = open(self.handle().open(access, make::<T>));
        WriteGuard::new(value.cast(), hold)
    }

    /// Shared access, if it can be had at once.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] says why not.
    #[inline(always)]
    #[track_caller]
    pub fn try_read(&self) -> Result<ReadGuard<'_, T>, Unavailable> {
        let access = access(Mode::Shared, Mark::here(), Patience::None);
        let (value, hold) = self.handle().open(access, make::<T>)?;
        Ok(ReadGuard::new(value.cast(), hold))
    }

    /// Exclusive access, if it can be had at once.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] says why not.
    #[inline(always)]
    #[track_caller]
    pub fn try_write(&self) -> Result<WriteGuard<'_, T>, Unavailable> {
        let access = access(Mode::Exclusive, Mark::here(), Patience::None);
        let (value, hold) = self.handle().open(access, make::<T>)?;
        Ok(WriteGuard::new(value.cast(), hold))
    }

    /// Waits for shared access. The error says why there is none for the code that asks.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait(&self) -> Result<ReadGuard<'_, T>, String> {
        let access = access(Mode::Shared, Mark::here(), Patience::Endless);
        match self.handle().open(access, make::<T>) {
            Ok((value, hold)) => Ok(ReadGuard::new(value.cast(), hold)),
            Err(Refusal::Stale(reason)) => Err(reason),
            Err(Refusal::Busy) => unreachable!("waiting has no end"),
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        // SAFETY: both are `repr(C)` and begin with the same fields; `init` is a pointer to a
        // function in both, which is called only by `make`, as what it is here.
        unsafe { &*ptr::from_ref(self).cast::<Handle>() }
    }
}

#[track_caller]
fn access(mode: Mode, mark: &'static Mark, patience: Patience) -> Access {
    Access {
        mode,
        mark,
        location: Location::caller(),
        patience,
    }
}

#[track_caller]
fn open<V>(opened: Result<V, Refusal>) -> V {
    match opened {
        Ok(opened) => opened,
        Err(Refusal::Stale(reason)) => {
            on_panic::is_stale();
            panic!("hotswap: {reason}")
        }
        // Waiting has no end for anybody else.
        Err(Refusal::Busy) => panic!(
            "hotswap: a function that makes a value asks for a cell that the swap holds until it returns"
        ),
    }
}

/// Calls `init`, and boxes what it makes.
///
/// # Safety
///
/// `init` is in truth a `fn() -> T`.
unsafe fn make<T>(init: Init) -> *mut u8 {
    // SAFETY: the caller's promise.
    let init = unsafe { std::mem::transmute::<Init, fn() -> T>(init) };
    Box::into_raw(Box::new(init())).cast()
}

impl<T: Migrate> Drop for Live<T> {
    fn drop(&mut self) {
        // SAFETY: as in `handle`.
        let handle = unsafe { &mut *ptr::from_mut(self).cast::<Handle>() };
        let value = handle.take().cast::<T>();
        if !value.is_null() {
            // SAFETY: it came from `make::<T>`. A value is changed to another type only behind the
            // handle of a static, which is never dropped.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

impl<T: Migrate> fmt::Debug for Live<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
