//! A boxed future with the auto traits of the one inside.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Hidden;
use super::facts::{self, Witness};

/// A future `F` in a box, with output `O`.
///
/// `O` is a parameter of its own so that the layout guard sees it: it crosses by value.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct FutureBox<F, O> {
    // In truth the future lives as long as `F` does, which `_hidden` makes the box observe.
    future: Pin<Box<dyn Future<Output = O>>>,
    _hidden: Hidden<F>,
    output: PhantomData<fn() -> O>,
}

// SAFETY: the box owns an `F` and nothing else.
unsafe impl<F: Send, O> Send for FutureBox<F, O> {}
// SAFETY: as above.
unsafe impl<F: Sync, O> Sync for FutureBox<F, O> {}

impl<F: Future<Output = O>, O> FutureBox<F, O> {
    /// Boxes a body's future.
    #[inline(always)]
    pub fn new<W: Witness>(future: F) -> Self {
        facts::witness::<W, F>();
        Self {
            future: erase(Box::pin(future)),
            _hidden: Hidden(PhantomData),
            output: PhantomData,
        }
    }
}

/// Makes the compiler forget how long the future may live.
fn erase<'a, F, O>(future: Pin<Box<F>>) -> Pin<Box<dyn Future<Output = O>>>
where
    F: Future<Output = O> + 'a,
    O: 'a,
{
    let future: Pin<Box<dyn Future<Output = O> + 'a>> = future;
    // SAFETY: only the lifetime changes. `FutureBox` names `F` in its type, so it lives no longer.
    unsafe { std::mem::transmute(future) }
}

impl<F, O> Future for FutureBox<F, O> {
    type Output = O;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O> {
        // SAFETY: the future is in a box of its own: moving `self.future` does not move it, so
        // that reaching it through a pinned `self` pins nothing.
        let this = unsafe { self.get_unchecked_mut() };
        this.future.as_mut().poll(context)
    }
}
