//! Counted references: `Rc`, `Arc` and their weak forms.
//!
//! A value behind several references is changed once; every reference found then gets the new
//! address. What is known by its address here is the value inside the allocation.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::rc::Rc;
use std::sync::Arc;

use crate::migrate::Migrate;
use crate::migrate::schema::{Of, Schema, Shape};
use crate::sync::{Ordering, fence};

/// What can be done with a counted reference, whatever it refers to.
///
/// # Safety
///
/// A reference's address is that of a valid reference; a value's address is one that `target` or
/// `blank` gave, of an allocation that is still counted.
#[derive(Debug)]
pub struct Shared {
    /// The type of the value.
    pub element: Of,
    /// Whether the reference is a weak one.
    pub weak: bool,
    /// The address of a reference's value, with the numbers of strong and weak references to it;
    /// none if the value is gone.
    pub target: unsafe fn(*const u8) -> Option<Target>,
    /// Allocates a value that is not there yet, with one strong reference that nobody has.
    pub blank: fn() -> *const u8,
    /// Counts another strong reference to a reference's value, unless that is gone.
    pub keep: unsafe fn(*const u8) -> bool,
    /// Takes back a strong reference to a value, which is dropped with the last one.
    pub give_back: unsafe fn(*const u8),
    /// Counts another strong reference to a value.
    pub retain: unsafe fn(*const u8),
    /// Takes back a strong reference to a value, which is not dropped.
    pub let_go: unsafe fn(*const u8),
    /// Writes a new reference to a value, or to none, to the last address.
    pub refer: unsafe fn(Option<*const u8>, *mut u8),
    /// Takes a reference away without dropping the value.
    pub release: unsafe fn(*mut u8),
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The value's address.
    pub value: *const u8,
    /// The number of strong references.
    pub strong: usize,
    /// The number of weak references.
    pub weak: usize,
}

/// The numbers of strong and weak references. A reference of another thread's that becomes a strong or a
/// weak one meanwhile is in one of them.
fn counts(strong: impl Fn() -> usize, weak: impl Fn() -> usize) -> (usize, usize) {
    let before = weak();
    fence(Ordering::SeqCst);
    let strong = strong();
    fence(Ordering::SeqCst);
    (strong, weak().max(before))
}

macro_rules! counted {
    ($strong:ident, $module:ident, $($home:ident)::+) => {
        impl<T: Migrate> Migrate for $strong<T> {
            fn schema() -> &'static Schema {
                const { &Schema::of::<Self>(Shape::Shared($module::strong::<T>(T::schema))) }
            }
        }

        impl<T: Migrate> Migrate for $($home)::+::Weak<T> {
            fn schema() -> &'static Schema {
                const { &Schema::of::<Self>(Shape::Shared($module::weak::<T>(T::schema))) }
            }
        }

        pub(crate) mod $module {
            //! The functions of one of the two kinds, which differ in their counters only. `T`,
            //! `MaybeUninit<T>` and `ManuallyDrop<T>` have one size and alignment, which is what
            //! `from_raw` asks for.

            use $($home)::+::Weak;

            use super::*;

            /// A reference that keeps a value of this type.
            pub(crate) const fn strong<T>(element: Of) -> Shared {
                Shared {
                    element,
                    weak: false,
                    target: target::<T>,
                    keep: keep::<T>,
                    give_back: give_back::<T>,
                    blank: blank::<T>,
                    retain: retain::<T>,
                    let_go: let_go::<T>,
                    refer: refer::<T>,
                    release: release::<T>,
                }
            }

            /// A reference that does not keep it.
            pub(crate) const fn weak<T>(element: Of) -> Shared {
                Shared {
                    element,
                    weak: true,
                    target: weak_target::<T>,
                    keep: weak_keep::<T>,
                    give_back: give_back::<T>,
                    blank: blank::<T>,
                    retain: retain::<T>,
                    let_go: let_go::<T>,
                    refer: weak_refer::<T>,
                    release: weak_release::<T>,
                }
            }

            unsafe fn target<T>(reference: *const u8) -> Option<Target> {
                // SAFETY: the promise of `Shared`.
                let reference = unsafe { &*reference.cast::<$strong<T>>() };
                let (strong, weak) = counts(
                    || $strong::strong_count(reference),
                    || $strong::weak_count(reference),
                );
                let value = $strong::as_ptr(reference).cast();
                Some(Target { value, strong, weak })
            }

            unsafe fn weak_target<T>(reference: *const u8) -> Option<Target> {
                // SAFETY: the promise of `Shared`.
                let reference = unsafe { &*reference.cast::<Weak<T>>() };
                let (strong, weak) =
                    counts(|| reference.strong_count(), || reference.weak_count());
                let value = reference.as_ptr().cast();
                (strong > 0).then_some(Target { value, strong, weak })
            }

            unsafe fn keep<T>(reference: *const u8) -> bool {
                // SAFETY: the promise of `Shared`.
                let reference = unsafe { &*reference.cast::<$strong<T>>() };
                std::mem::forget($strong::clone(reference));
                true
            }

            unsafe fn weak_keep<T>(reference: *const u8) -> bool {
                // SAFETY: the promise of `Shared`.
                let reference = unsafe { &*reference.cast::<Weak<T>>() };
                reference.upgrade().map(std::mem::forget).is_some()
            }

            unsafe fn give_back<T>(value: *const u8) {
                // SAFETY: the promise of `Shared`.
                unsafe { $strong::decrement_strong_count(value.cast::<T>()) };
            }

            fn blank<T>() -> *const u8 {
                $strong::into_raw($strong::new(MaybeUninit::<T>::uninit())).cast()
            }

            unsafe fn retain<T>(value: *const u8) {
                // SAFETY: the promise of `Shared`.
                unsafe { $strong::increment_strong_count(value.cast::<ManuallyDrop<T>>()) };
            }

            unsafe fn let_go<T>(value: *const u8) {
                // SAFETY: the promise of `Shared`.
                unsafe { $strong::decrement_strong_count(value.cast::<ManuallyDrop<T>>()) };
            }

            unsafe fn refer<T>(value: Option<*const u8>, place: *mut u8) {
                let Some(value) = value else { return };
                // SAFETY: the promise of `Shared`: the count is raised for what is written.
                unsafe {
                    retain::<T>(value);
                    let reference = $strong::from_raw(value.cast::<T>());
                    place.cast::<$strong<T>>().write(reference);
                }
            }

            unsafe fn weak_refer<T>(value: Option<*const u8>, place: *mut u8) {
                let weak = value.map_or_else(Weak::new, |value| {
                    // SAFETY: the promise of `Shared`: the strong reference is none of ours.
                    let strong = unsafe { $strong::from_raw(value.cast::<T>()) };
                    $strong::downgrade(&ManuallyDrop::new(strong))
                });
                // SAFETY: the promise of `Shared`.
                unsafe { place.cast::<Weak<T>>().write(weak) };
            }

            unsafe fn release<T>(place: *mut u8) {
                // SAFETY: the promise of `Shared`.
                unsafe { let_go::<T>($strong::into_raw(place.cast::<$strong<T>>().read()).cast()) };
            }

            unsafe fn weak_release<T>(place: *mut u8) {
                // SAFETY: the promise of `Shared`. No weak reference drops the value.
                unsafe { place.cast::<Weak<T>>().drop_in_place() };
            }
        }
    };
}

counted!(Rc, single, std::rc);
counted!(Arc, atomic, std::sync);
