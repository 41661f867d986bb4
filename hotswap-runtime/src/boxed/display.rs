//! Boxed values that can be formatted, with the auto traits of the one inside.

use std::fmt;

use std::marker::PhantomData;

use super::Hidden;
use super::facts::{self, Witness};

macro_rules! boxes {
    ($(#[$doc:meta] $name:ident: $bound:ident;)*) => {$(
        #[$doc]
        pub struct $name<F> {
            // In truth the value lives as long as `F` does, which `_hidden` makes the box observe.
            value: Box<dyn fmt::$bound>,
            _hidden: Hidden<F>,
        }

        // SAFETY: the box owns an `F` and nothing else.
        unsafe impl<F: Send> Send for $name<F> {}
        // SAFETY: as above.
        unsafe impl<F: Sync> Sync for $name<F> {}

        impl<F: fmt::$bound> $name<F> {
            /// Boxes a body's result.
            #[inline(always)]
            pub fn new<W: Witness>(value: F) -> Self {
                fn erase<'a, F: fmt::$bound + 'a>(value: Box<F>) -> Box<dyn fmt::$bound> {
                    let value: Box<dyn fmt::$bound + 'a> = value;
                    // SAFETY: only the lifetime changes; the box names `F` in its type, so it
                    // lives no longer.
                    unsafe { std::mem::transmute(value) }
                }
                facts::witness::<W, F>();
                Self { value: erase(Box::new(value)), _hidden: Hidden(PhantomData) }
            }
        }

        impl<F> fmt::$bound for $name<F> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.value.fmt(formatter)
            }
        }
    )*};
}

boxes! {
    /// A value in a box that can be displayed.
    DisplayBox: Display;
    /// A value in a box that can be displayed for debugging.
    DebugBox: Debug;
}
