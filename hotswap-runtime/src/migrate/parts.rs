//! How an enum's value is taken apart and put together, without `unsafe` in macro output.

use std::mem::ManuallyDrop;

/// An enum whose values can be taken apart and put together; macro output implements it.
pub trait Choose: Sized {
    /// Tells the variant's index, and adds the fields in order.
    fn project(&self, fields: &mut Fields<'_>) -> u32;

    /// Takes the fields of the variant in order, and makes a value of it.
    fn build(variant: u32, parts: &mut Parts<'_>) -> Self;
}

/// Where the fields of a value are.
#[derive(Debug)]
pub struct Fields<'a> {
    found: &'a mut Vec<*const u8>,
}

impl Fields<'_> {
    /// Adds a field.
    pub fn add<F>(&mut self, field: &F) {
        self.found.push(std::ptr::from_ref(field).cast());
    }
}

/// The parts of a value that is put together.
#[derive(Debug)]
pub struct Parts<'a> {
    left: &'a [*const u8],
}

impl Parts<'_> {
    /// Takes the next part, which must be an `F`.
    ///
    /// # Panics
    ///
    /// There is none: the runtime gave fewer parts than the variant has fields.
    #[must_use]
    pub fn take<F>(&mut self) -> F {
        let (first, rest) = self.left.split_first().expect("one part for each field");
        self.left = rest;
        // SAFETY: the runtime gives the addresses of values of the fields' types in order, and
        // takes them for moved; macro output takes them in the same order, one for each field.
        unsafe { first.cast::<F>().read() }
    }
}

/// [`Choose::project`] with its types erased.
///
/// # Safety
///
/// A `T` is at `value`, and nobody changes it meanwhile.
pub(crate) unsafe fn project<T: Choose>(value: *const u8, found: &mut Vec<*const u8>) -> u32 {
    // SAFETY: the caller's promise.
    let value = unsafe { &*value.cast::<T>() };
    value.project(&mut Fields { found })
}

/// [`Choose::build`] with its types erased.
///
/// # Safety
///
/// `parts` are the addresses of values of the variant's field types, which count as moved
/// afterwards. `place` is good for writing a `T`.
pub(crate) unsafe fn build<T: Choose>(variant: u32, parts: &[*const u8], place: *mut u8) {
    let value = ManuallyDrop::new(T::build(variant, &mut Parts { left: parts }));
    // SAFETY: the caller's promise. `ManuallyDrop<T>` has the layout of `T`.
    unsafe { place.cast::<ManuallyDrop<T>>().write(value) };
}
