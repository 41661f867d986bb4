//! `Pieces`: a container in pieces, whose elements can be changed piece by piece, when they are first used.

pub(crate) mod chain;
mod iter;
pub(crate) mod piece;
#[cfg(feature = "serde")]
mod saved;
pub(crate) mod stage;

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::num::NonZero;
use std::ops::{Index, IndexMut};
use std::panic::resume_unwind;
use std::thread;

use crate::convert::failure::Failure;
use crate::migrate::probe;
use crate::sync::{AtomicUsize, Ordering};
pub use iter::{Iter, IterMut};
use piece::{Body, Changes, ELEMENTS, Piece};

/// A growable row of elements, kept in pieces of 1024.
///
/// It does what a `Vec` does, but for slices. As a field with `#[migrate(lazy)]`, in a type with
/// [`Migrate`](trait@crate::Migrate), its elements are not changed while a swap holds the cell: each piece
/// is when it is first used, so that the pause does not grow with the data.
///
/// ```
/// use hotswap::{Live, Migrate, Pieces};
///
/// #[derive(Migrate, Default)]
/// struct World {
///     #[migrate(lazy)]
///     entities: Pieces<Entity>,
/// }
///
/// #[derive(Migrate)]
/// struct Entity {
///     x: f32,
///     #[migrate(default = 1.0)]
///     mass: f32,
/// }
///
/// static WORLD: Live<World> = Live::new(World::default);
///
/// WORLD.write().entities.push(Entity { x: 0.5, mass: 2.0 });
/// assert_eq!(WORLD.read().entities[0].mass, 2.0);
/// ```
///
/// Without the attribute all elements are changed at once, as those of a `Vec`. On a field of another type it
/// does not compile:
///
/// ```compile_fail
/// #[derive(hotswap::Migrate)]
/// struct World {
///     #[migrate(lazy)]
///     entities: Vec<u32>,
/// }
/// ```
///
/// # Later changes
///
/// Threads that use one piece at the same time wait for the one that changes it. What an edit can leave
/// for later is what can't fail then: defaults, `From`, `with` and `back` that return no `Result`, in
/// structs, enums, boxes, `Vec`s and values of maps. Counted references, keys, removed variants and
/// containers of the program's are changed at once or not at all: the edit is refused, and says so. Taking the
/// attribute away is no change of the type, and may be part of the same edit.
///
/// As long as elements are left, the code that they need stays in memory. [`finish`](Self::finish)
/// changes all. Elements that are never used again are dropped as what they are, by the code of their
/// version. A revert leaves them as they were before the swap.
///
/// # Panics
///
/// Whatever uses elements panics if a function that makes their new values does; the elements are as they
/// were then, and the next use tries again. So does a function that makes a new value and uses other
/// elements that are to be changed.
#[repr(C)]
pub struct Pieces<T> {
    body: Body,
    elements: PhantomData<T>,
}

// SAFETY: what a shared reference gives is shared references to elements, and pieces are changed in
// turn (`Stage`), before anybody has a reference into them. The thread that changes elements takes and makes
// values, so these are `Send`.
unsafe impl<T: Send + Sync> Sync for Pieces<T> {}

impl<T> Pieces<T> {
    /// Without elements.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            body: Body::NEW,
            elements: PhantomData,
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.len == 0
    }

    /// The element at an index.
    #[must_use]
    #[track_caller]
    pub fn get(&self, index: usize) -> Option<&T> {
        let piece = self.body.pieces.get(index / ELEMENTS)?;
        elements(&self.body.changes, piece).get(index % ELEMENTS)
    }

    /// The element at an index, to be changed.
    #[must_use]
    #[track_caller]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let piece = self.body.pieces.get_mut(index / ELEMENTS)?;
        elements_mut(&self.body.changes, piece).get_mut(index % ELEMENTS)
    }

    /// Adds an element at the end.
    #[track_caller]
    pub fn push(&mut self, element: T) {
        let Body {
            pieces,
            len,
            changes,
        } = &mut self.body;
        if *len == pieces.len() * ELEMENTS {
            // The first piece grows with its elements; where there are more, the next one fills, too.
            let room = if pieces.is_empty() { 0 } else { ELEMENTS };
            pieces.push(Piece::new(Vec::<T>::with_capacity(room), changes.number));
        }
        if let Some(last) = pieces.last_mut() {
            elements_mut(changes, last).push(element);
            *len += 1;
        }
    }

    /// Takes the last element away.
    #[track_caller]
    pub fn pop(&mut self) -> Option<T> {
        let Body {
            pieces,
            len,
            changes,
        } = &mut self.body;
        let last = elements_mut::<T>(changes, pieces.last_mut()?);
        let element = last.pop()?;
        *len -= 1;
        if last.is_empty() {
            drop(mem::take(last));
            pieces.pop();
        }
        Some(element)
    }

    /// Exchanges two elements.
    ///
    /// # Panics
    ///
    /// An index is not below the number of elements.
    #[track_caller]
    pub fn swap(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        assert!(high < self.len(), "no element has the index {high}");
        let ((first, low), (second, high)) = (
            (low / ELEMENTS, low % ELEMENTS),
            (high / ELEMENTS, high % ELEMENTS),
        );
        let changes = &self.body.changes;
        let (before, from) = self.body.pieces.split_at_mut(second);
        let second_elements = elements_mut::<T>(changes, &mut from[0]);
        match before.get_mut(first) {
            Some(piece) => mem::swap(
                &mut elements_mut::<T>(changes, piece)[low],
                &mut second_elements[high],
            ),
            None => second_elements.swap(low, high),
        }
    }

    /// Takes an element away, and puts the last one in its place.
    ///
    /// # Panics
    ///
    /// The index is not below the number of elements.
    #[track_caller]
    pub fn swap_remove(&mut self, index: usize) -> T {
        let len = self.len();
        assert!(index < len, "no element has the index {index}");
        self.swap(index, len - 1);
        match self.pop() {
            Some(element) => element,
            None => unreachable!("there is one element at least"),
        }
    }

    /// Drops all elements.
    pub fn clear(&mut self) {
        drop(mem::take(self));
    }

    /// All elements in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// All elements in order, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut::new(&mut self.body)
    }

    /// The number of elements that have still to migrate.
    #[must_use]
    pub fn left(&self) -> usize {
        self.body.left()
    }
}

impl<T: Send + Sync> Pieces<T> {
    /// Migrates all elements that have still to. Several threads do it where there are many.
    ///
    /// # Panics
    ///
    /// A function that makes a new value has.
    #[track_caller]
    pub fn finish(&self) {
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), Box<Failure>> {
            loop {
                match self.bring(next.fetch_add(1, Ordering::Relaxed)) {
                    Some(outcome) => outcome?,
                    None => return Ok(()),
                }
            }
        };
        // A thread is worth it where it has some pieces for itself.
        let worth = self.left() / ELEMENTS / 16;
        let others = thread::available_parallelism().map_or(1, NonZero::get);
        let others = others.min(worth).saturating_sub(1);
        let outcome = thread::scope(|scope| {
            let begun: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
            let own = work();
            let all = begun.into_iter().map(|thread| match thread.join() {
                Ok(outcome) => outcome,
                Err(panic) => resume_unwind(panic),
            });
            all.fold(own, Result::and)
        });
        if let Err(failure) = outcome {
            panic!("elements could not be migrated: {failure}");
        }
    }

    /// Takes the piece of this number through all changes; none if there is no such piece.
    fn bring(&self, number: usize) -> Option<Result<(), Box<Failure>>> {
        let piece = self.body.pieces.get(number)?;
        Some(match self.body.changes.are_done(piece) {
            true => Ok(()),
            false => self.body.changes.bring(piece),
        })
    }
}

/// The elements of a piece, as they are after all changes.
#[track_caller]
fn elements<'a, T>(changes: &Changes, piece: &'a Piece) -> &'a Vec<T> {
    changes.touch(piece);
    // SAFETY: only containers of `T` come here, whose pieces are `Vec`s of `T` after all changes. They are
    // not written again while there are shared references to the container.
    unsafe { &*piece.place().cast::<Vec<T>>() }
}

/// The same, to be changed.
#[track_caller]
fn elements_mut<'a, T>(changes: &Changes, piece: &'a mut Piece) -> &'a mut Vec<T> {
    changes.touch(piece);
    // SAFETY: as in `elements`; the reference to the piece is the only one.
    unsafe { &mut *piece.place().cast::<Vec<T>>() }
}

impl<T> Drop for Pieces<T> {
    fn drop(&mut self) {
        if let Some(destructor) = const { probe::drop_of::<Vec<T>>() } {
            // SAFETY: after all changes pieces are `Vec`s of `T`, and this is the last to use them.
            unsafe { self.body.drop_all(destructor) };
        }
    }
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<usize> for Pieces<T> {
    type Output = T;

    #[track_caller]
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(element) => element,
            None => panic!("no element has the index {index}: there are {}", self.len()),
        }
    }
}

impl<T> IndexMut<usize> for Pieces<T> {
    #[track_caller]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let len = self.len();
        match self.get_mut(index) {
            Some(element) => element,
            None => panic!("no element has the index {index}: there are {len}"),
        }
    }
}

impl<T> Extend<T> for Pieces<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

impl<T> FromIterator<T> for Pieces<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut pieces = Self::new();
        pieces.extend(elements);
        pieces
    }
}

impl<T> From<Vec<T>> for Pieces<T> {
    fn from(elements: Vec<T>) -> Self {
        elements.into_iter().collect()
    }
}

impl<T> From<Pieces<T>> for Vec<T> {
    fn from(mut pieces: Pieces<T>) -> Self {
        let mut all = Self::with_capacity(pieces.len());
        let Body {
            pieces, changes, ..
        } = &mut pieces.body;
        for piece in pieces {
            all.append(elements_mut(changes, piece));
        }
        all
    }
}

impl<T: Clone> Clone for Pieces<T> {
    fn clone(&self) -> Self {
        self.iter().cloned().collect()
    }
}

impl<T: PartialEq> PartialEq for Pieces<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Pieces<T> {}

impl<T: fmt::Debug> fmt::Debug for Pieces<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self).finish()
    }
}
