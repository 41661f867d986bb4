//! Addresses of code that a scan of memory does not take for references.
//!
//! What the runtime itself remembers of an image must not keep it in memory, nor may what is left of that
//! in blocks that are free.

use std::mem::MaybeUninit;

/// An address, kept in a form that no address has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hidden(usize);

impl Hidden {
    pub(crate) fn new<T>(address: *const T) -> Self {
        Self(!address.expose_provenance())
    }

    /// The address.
    pub(crate) fn get<T>(self) -> *const T {
        std::ptr::with_exposed_provenance(!self.0)
    }
}

/// Leaves nothing of so many elements behind the last one, which were just removed.
pub(crate) fn wipe_behind<T>(vector: &mut Vec<T>, count: usize) {
    let removed = vector.spare_capacity_mut().iter_mut().take(count);
    removed.for_each(|place| *place = MaybeUninit::zeroed());
    // Otherwise the compiler may leave out what nobody reads.
    std::hint::black_box(vector.as_mut_ptr());
}

/// Adds an element. Where the vector grows, nothing is left in the memory that it had.
pub(crate) fn push<T>(vector: &mut Vec<T>, element: T) {
    if vector.len() == vector.capacity() {
        let mut larger = Vec::with_capacity(vector.len() * 2 + 4);
        larger.append(vector);
        wipe(std::mem::replace(vector, larger));
    }
    vector.push(element);
}

/// Frees a vector's memory with nothing left in it.
pub(crate) fn wipe<T>(mut vector: Vec<T>) {
    vector.clear();
    vector.spare_capacity_mut().fill_with(MaybeUninit::zeroed);
    // Otherwise the compiler may leave out what nobody reads.
    std::hint::black_box(vector.as_mut_ptr());
}
