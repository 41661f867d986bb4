//! The path of a call: from macro output to the body that is current.
//!
//! A counted call begins in a function that is not inlined, so that hot crates and images hold no
//! thread-local of the runtime, and ends in place, through the pointer that it was given. An
//! untracked call reads [`CURRENT`] in place.

pub mod arity;

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::entry::Descriptor;
use crate::inflight::record::CounterId;
use crate::inflight::{self, Place, unused};
use crate::on_panic;
use crate::table::switch::Target;
use crate::table::{CURRENT, Resolved, resolve};
use crate::thread;

/// A call under way that ends where it began. [`Mode::finish`] ends it; that it is dropped means that
/// the body unwinds.
#[derive(Debug)]
pub struct Call {
    place: Place,
}

impl Drop for Call {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        on_panic::notice(|counter| self.place.is_of(counter));
        self.place.end();
    }
}

/// A call under way that may end on another thread: dropping it ends the call.
#[derive(Debug)]
pub struct MovingCall {
    counter: CounterId,
}

impl Drop for MovingCall {
    fn drop(&mut self) {
        inflight::end(self.counter);
    }
}

/// How a call is counted, and in what form its result comes back.
pub trait Mode {
    /// What lives as long as the call is under way.
    type Guard;
    /// The form of a result `R`.
    type Output<R>;

    /// Finds the code to run.
    fn enter(entry: &'static Descriptor, body: *const ()) -> (*const (), Self::Guard);

    /// Takes the result when the body has returned.
    fn finish<R>(result: R, guard: Self::Guard) -> Self::Output<R>;
}

/// Counted from call to return or unwinding.
#[derive(Debug)]
pub enum Tracked {}

/// Not counted.
#[derive(Debug)]
pub enum Untracked {}

/// Counted until the future that the body returned is complete or dropped.
#[derive(Debug)]
pub enum TrackedFuture {}

impl Mode for Tracked {
    type Guard = Call;
    type Output<R> = R;

    #[inline(always)]
    fn enter(entry: &'static Descriptor, body: *const ()) -> (*const (), Call) {
        let Entered { body, place } = enter(entry, body);
        (body, Call { place })
    }

    #[inline(always)]
    fn finish<R>(result: R, call: Call) -> R {
        ManuallyDrop::new(call).place.end();
        result
    }
}

impl Mode for Untracked {
    type Guard = ();
    type Output<R> = R;

    #[inline(always)]
    fn enter(entry: &'static Descriptor, body: *const ()) -> (*const (), ()) {
        let slot = entry.slot();
        if slot == 0 {
            return (enter_first(entry, body), ());
        }
        // SAFETY: a slot is assigned after a table that has it was published.
        (unsafe { CURRENT.body(slot) }, ())
    }

    #[inline(always)]
    fn finish<R>(result: R, (): ()) -> R {
        result
    }
}

impl Mode for TrackedFuture {
    type Guard = MovingCall;
    type Output<F> = InFlight<F>;

    #[inline(always)]
    fn enter(entry: &'static Descriptor, body: *const ()) -> (*const (), MovingCall) {
        let Target { body, counter } = enter_moving(entry, body);
        (body, MovingCall { counter })
    }

    #[inline(always)]
    fn finish<F>(future: F, call: MovingCall) -> InFlight<F> {
        InFlight {
            future,
            call: Some(call),
        }
    }
}

/// The code to run, and where the call is counted.
struct Entered {
    body: *const (),
    place: Place,
}

// These two call others for all that they do, so that there is little in their own frames that they do not
// write to: what they clear begins below.

#[inline(never)]
fn enter(entry: &'static Descriptor, body: *const ()) -> Entered {
    if let Some((Target { body, .. }, place)) = enter_quickly(entry) {
        return Entered { body, place };
    }
    let (Target { body, .. }, place) = enter_slowly(entry, body);
    unused::clear();
    Entered { body, place }
}

#[inline(never)]
fn enter_moving(entry: &'static Descriptor, body: *const ()) -> Target {
    if let Some((target, _)) = enter_quickly(entry) {
        return target;
    }
    let (target, _) = enter_slowly(entry, body);
    unused::clear();
    target
}

#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline(always))]
fn enter_quickly(entry: &'static Descriptor) -> Option<(Target, Place)> {
    let slot = entry.slot();
    // SAFETY: a slot is assigned after a table that has it was published.
    (slot != 0).then(|| unsafe { inflight::try_begin(&CURRENT, slot) })?
}

/// Each thread comes here at its first call after a table was published. One that was told to end goes no
/// further.
#[cold]
#[inline(never)]
fn enter_slowly(entry: &'static Descriptor, body: *const ()) -> (Target, Place) {
    thread::checkpoint();
    let mut slot = entry.slot();
    if slot == 0 {
        slot = match resolve(entry, body) {
            Resolved::Slot(slot) => slot,
            Resolved::Own(target) => return (target, Place::nowhere()),
        };
    }
    // SAFETY: a slot is assigned after a table that has it was published.
    unsafe { inflight::begin_slowly(&CURRENT, slot) }
}

#[cold]
#[inline(never)]
fn enter_first(entry: &'static Descriptor, body: *const ()) -> *const () {
    match resolve(entry, body) {
        // SAFETY: a slot is assigned after a table that has it was published.
        Resolved::Slot(slot) => unsafe { CURRENT.body(slot) },
        Resolved::Own(target) => target.body,
    }
}

/// A future is polled by threads that may never begin its call.
#[inline(never)]
fn clear_before_poll() {
    if inflight::has_cleared(&CURRENT) != Some(true) && inflight::note_cleared(&CURRENT) {
        unused::clear();
    }
}

/// A future that is polled. That this is dropped means that it unwinds.
struct Unwinding<'a>(&'a Option<MovingCall>);

impl Drop for Unwinding<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        if let Some(call) = self.0 {
            on_panic::notice(|counter| counter == call.counter);
        }
    }
}

/// A future whose call is under way until it is complete or dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct InFlight<F> {
    future: F,
    call: Option<MovingCall>,
}

impl<F: Future> Future for InFlight<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with `self`: it is never moved out of it, `InFlight` has no
        // `Drop` of its own and is `Unpin` only if `F` is. `call` is never pinned.
        let (future, call) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.call)
        };
        clear_before_poll();
        let unwinding = Unwinding(call);
        let polled = future.poll(context);
        std::mem::forget(unwinding);
        if polled.is_ready() {
            *call = None;
        }
        polled
    }
}

/// Ties a body to its descriptor, so that the linker and LLVM never merge two bodies that do the
/// same: their addresses are how the tool and the registry tell entries apart.
#[inline(always)]
pub fn anchor(entry: &'static Descriptor) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the assembly is a comment.
    unsafe {
        let address = std::ptr::from_ref(entry).addr();
        std::arch::asm!("/* {0} */", in(reg) address, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(entry);
}

/// Puts a future in a pinned box, to be returned as a boxed trait object.
#[inline(always)]
pub fn pin_box<F>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}
