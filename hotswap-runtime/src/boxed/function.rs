//! Boxed closures with the auto traits of the one inside.

use std::marker::PhantomData;

use super::Hidden;
use super::facts::{self, Witness};

/// A closure `F` in a box, as the trait object `D`.
///
/// Nobody but the compiler can implement the `Fn` traits, so macro output makes a closure of the
/// caller's version that calls this.
pub struct CallableBox<F, D: ?Sized> {
    object: Box<D>,
    _hidden: Hidden<F>,
}

// SAFETY: `new` is called by macro output only, with one and the same closure, of type `F`, in the
// box; nothing else is owned.
unsafe impl<F: Send, D: ?Sized> Send for CallableBox<F, D> {}
// SAFETY: as above.
unsafe impl<F: Sync, D: ?Sized> Sync for CallableBox<F, D> {}
// `Box` is `Unpin`, and so is `Hidden<F>` exactly where `F` is.

impl<F, D: ?Sized> CallableBox<F, D> {
    /// Boxes a body's closure; `object` makes the trait object of it.
    #[inline(always)]
    pub fn new<W: Witness>(function: F, object: fn(Box<F>) -> Box<D>) -> Self {
        facts::witness::<W, F>();
        Self {
            object: object(Box::new(function)),
            _hidden: Hidden(PhantomData),
        }
    }

    /// The closure, to be called by reference.
    #[inline(always)]
    pub fn get(&self) -> &D {
        &self.object
    }

    /// The closure, to be called by exclusive reference.
    #[inline(always)]
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.object
    }

    /// The closure, to be called once.
    #[inline(always)]
    pub fn into_object(self) -> Box<D> {
        self.object
    }
}
