//! Results whose type only the compiler knows: boxed where the trait allows it.
//!
//! A box hides the size of a future, so that an edited future fits its old callers. [`Hidden`]
//! carries the original type, as a type only, so that the box is `Send`, `Sync` and `Unpin` exactly
//! where the original is. What cannot be boxed crosses by value, and its layout is part of the
//! entry's identity.

mod display;
pub mod facts;
mod function;
mod future;
mod iterator;

pub use display::{DebugBox, DisplayBox};
pub use function::CallableBox;
pub use future::FutureBox;
pub use iterator::{DoubleEndedBox, IteratorBox};

use std::marker::PhantomData;

use facts::Witness;

/// The type that a box hides.
///
/// The layout guard does not look into it: what lies behind a box is used through the code that
/// made it. What a caller may rely on, [`facts`] compares.
#[derive(Debug)]
pub struct Hidden<F>(PhantomData<F>);

/// Lets a result of hidden type cross by value.
#[inline(always)]
pub fn by_value<W: Witness, F>(value: F) -> F {
    facts::witness::<W, F>();
    value
}
