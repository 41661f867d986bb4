//! Boxed iterators with the auto traits of the one inside.

use std::iter::FusedIterator;
use std::marker::PhantomData;

use super::Hidden;
use super::facts::{self, Witness};

macro_rules! boxes {
    ($(#[$doc:meta] $name:ident: $bound:ident;)*) => {$(
        #[$doc]
        ///
        /// The item is a parameter of its own so that the layout guard sees it.
        pub struct $name<F, I> {
            // In truth the iterator lives as long as `F` does, which `_hidden` makes the box observe.
            iterator: Box<dyn $bound<Item = I>>,
            _hidden: Hidden<F>,
            item: PhantomData<fn() -> I>,
        }

        // SAFETY: the box owns an `F` and nothing else.
        unsafe impl<F: Send, I> Send for $name<F, I> {}
        // SAFETY: as above.
        unsafe impl<F: Sync, I> Sync for $name<F, I> {}

        impl<F: $bound<Item = I>, I> $name<F, I> {
            /// Boxes a body's iterator.
            #[inline(always)]
            pub fn new<W: Witness>(iterator: F) -> Self {
                fn erase<'a, F, I>(iterator: Box<F>) -> Box<dyn $bound<Item = I>>
                where
                    F: $bound<Item = I> + 'a,
                    I: 'a,
                {
                    let iterator: Box<dyn $bound<Item = I> + 'a> = iterator;
                    // SAFETY: only the lifetime changes; the box names `F` in its type, so it
                    // lives no longer.
                    unsafe { std::mem::transmute(iterator) }
                }
                facts::witness::<W, F>();
                Self {
                    iterator: erase(Box::new(iterator)),
                    _hidden: Hidden(PhantomData),
                    item: PhantomData,
                }
            }
        }

        impl<F, I> Iterator for $name<F, I> {
            type Item = I;

            fn next(&mut self) -> Option<I> {
                self.iterator.next()
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.iterator.size_hint()
            }

            fn nth(&mut self, n: usize) -> Option<I> {
                self.iterator.nth(n)
            }
        }

        // A caller learns of these two only from the bounds in the signature, which are part of the
        // entry's identity: the iterator of another version has them too.
        impl<F: ExactSizeIterator<Item = I>, I> ExactSizeIterator for $name<F, I> {}
        impl<F: FusedIterator<Item = I>, I> FusedIterator for $name<F, I> {}
    )*};
}

boxes! {
    /// An iterator in a box.
    IteratorBox: Iterator;
    /// An iterator in a box that can be used from both ends.
    DoubleEndedBox: DoubleEndedIterator;
}

impl<F, I> DoubleEndedIterator for DoubleEndedBox<F, I> {
    fn next_back(&mut self) -> Option<I> {
        self.iterator.next_back()
    }

    fn nth_back(&mut self, n: usize) -> Option<I> {
        self.iterator.nth_back(n)
    }
}
