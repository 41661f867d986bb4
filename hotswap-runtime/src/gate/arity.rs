//! The call for each number of arguments.

#![expect(
    clippy::too_many_arguments,
    reason = "there are as many as the entry has"
)]

use crate::entry::{Arg, Descriptor};
use crate::gate::Mode;

macro_rules! arities {
    ($($call:ident $apply:ident ($($argument:ident: $type:ident),*);)*) => {$(
        /// Calls the current body of `entry`; `body` is that of the calling version.
        #[inline(always)]
        pub fn $call<M: Mode, R $(, $type)*>(
            entry: &'static Descriptor,
            $($argument: $type,)*
            body: fn($(Arg<$type>),*) -> Arg<R>,
        ) -> M::Output<R> {
            let (current, guard) = M::enter(entry, body as *const ());
            // SAFETY: what stands in an entry's slot is a body with this identity, and the
            // identity fixes the types: path, signature, layouts and the facts of hidden types.
            let current: fn($(Arg<$type>),*) -> Arg<R> = unsafe { std::mem::transmute(current) };
            let Arg([result]) = current($(Arg([$argument])),*);
            M::finish(result, guard)
        }

        /// Runs the user's function body inside the entry's body.
        #[inline(always)]
        pub fn $apply<R $(, $type)*>(
            $($argument: $type,)*
            body: impl FnOnce($($type),*) -> R,
        ) -> R {
            body($($argument),*)
        }
    )*};
}

arities! {
    call0 apply0 ();
    call1 apply1 (a: A);
    call2 apply2 (a: A, b: B);
    call3 apply3 (a: A, b: B, c: C);
    call4 apply4 (a: A, b: B, c: C, d: D);
    call5 apply5 (a: A, b: B, c: C, d: D, e: E);
    call6 apply6 (a: A, b: B, c: C, d: D, e: E, f: F);
    call7 apply7 (a: A, b: B, c: C, d: D, e: E, f: F, g: G);
    call8 apply8 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H);
    call9 apply9 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I);
    call10 apply10 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J);
    call11 apply11 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K);
    call12 apply12 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L);
    call13 apply13 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L, n: N);
    call14 apply14 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L, n: N, o: O);
    call15 apply15 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L, n: N, o: O, p: P);
    call16 apply16 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L, n: N, o: O, p: P, q: Q);
}
