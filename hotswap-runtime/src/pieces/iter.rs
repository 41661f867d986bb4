//! Iterators over the elements of a container in pieces.

use std::fmt;
use std::slice;

use super::{Pieces, elements, elements_mut};
use crate::pieces::piece::{Body, Changes, Piece};

/// The elements of [`Pieces`] in order.
///
/// # Panics
///
/// As [`Pieces`] says.
pub struct Iter<'a, T> {
    all: &'a Pieces<T>,
    /// The number of the next piece.
    next: usize,
    current: slice::Iter<'a, T>,
    left: usize,
}

/// The elements of [`Pieces`] in order, to be changed.
///
/// # Panics
///
/// As [`Pieces`] says.
pub struct IterMut<'a, T> {
    changes: Changes,
    pieces: slice::IterMut<'a, Piece>,
    current: slice::IterMut<'a, T>,
    left: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(all: &'a Pieces<T>) -> Self {
        Self {
            all,
            next: 0,
            current: [].iter(),
            left: all.len(),
        }
    }
}

impl<'a, T> IterMut<'a, T> {
    pub(super) fn new(body: &'a mut Body) -> Self {
        Self {
            changes: body.changes,
            pieces: body.pieces.iter_mut(),
            current: [].iter_mut(),
            left: body.len,
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(element) = self.current.next() {
                self.left -= 1;
                return Some(element);
            }
            let Body {
                pieces, changes, ..
            } = &self.all.body;
            let piece = pieces.get(self.next)?;
            self.next += 1;
            self.current = elements(changes, piece).iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T> Iterator for IterMut<'a, T> {
    type Item = &'a mut T;

    fn next(&mut self) -> Option<&'a mut T> {
        loop {
            if let Some(element) = self.current.next() {
                self.left -= 1;
                return Some(element);
            }
            self.current = elements_mut(&self.changes, self.pieces.next()?).iter_mut();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Iter");
        shown.field("left", &self.left).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for IterMut<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("IterMut");
        shown.field("left", &self.left).finish_non_exhaustive()
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> ExactSizeIterator for IterMut<'_, T> {}

impl<'a, T> IntoIterator for &'a Pieces<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Pieces<T> {
    type Item = &'a mut T;
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}
