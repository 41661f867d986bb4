//! Containers that hold their elements in a row: `Vec`, `VecDeque`, and `Box` for one element.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;

use crate::migrate::Migrate;
use crate::migrate::schema::{Of, Schema, Shape};

/// What can be done with such a container, whatever its elements are.
#[derive(Debug)]
pub struct Sequence {
    /// The elements' type.
    pub element: Of,
    /// Tells where the elements are, in order: an address and a number, twice.
    ///
    /// # Safety
    ///
    /// A container is at the address, and nobody changes it meanwhile.
    pub spans: unsafe fn(*const u8) -> [(*const u8, usize); 2],
    /// Makes a container at the last address of the elements in a buffer.
    ///
    /// # Safety
    ///
    /// The buffer holds as many elements and was allocated for exactly that many by the global
    /// allocator, unless they have no size. The last address is good for writing a container.
    pub adopt: unsafe fn(*mut u8, usize, *mut u8),
    /// Frees what the container itself holds; its elements are not dropped.
    ///
    /// # Safety
    ///
    /// A container is there, which nobody uses again.
    pub release: unsafe fn(*mut u8),
}

impl Sequence {
    /// A `Vec` of elements of this type.
    pub(crate) const fn vec<T>(element: Of) -> Self {
        Self {
            element,
            spans: vec_spans::<T>,
            adopt: vec_adopt::<T>,
            release: vec_release::<T>,
        }
    }

    /// A `VecDeque` of elements of this type.
    pub(crate) const fn deque<T>(element: Of) -> Self {
        Self {
            element,
            spans: deque_spans::<T>,
            adopt: deque_adopt::<T>,
            release: deque_release::<T>,
        }
    }
}

impl<T: Migrate> Migrate for Vec<T> {
    fn schema() -> &'static Schema {
        const { &Schema::of::<Self>(Shape::Sequence(Sequence::vec::<T>(T::schema))) }
    }
}

unsafe fn vec_spans<T>(vec: *const u8) -> [(*const u8, usize); 2] {
    // SAFETY: the promise of `Sequence::spans`.
    let vec = unsafe { &*vec.cast::<Vec<T>>() };
    [
        (vec.as_ptr().cast(), vec.len()),
        (std::ptr::dangling::<T>().cast(), 0),
    ]
}

unsafe fn vec_adopt<T>(buffer: *mut u8, len: usize, place: *mut u8) {
    // SAFETY: the promise of `Sequence::adopt`: capacity and length are `len`.
    unsafe {
        let vec = Vec::from_raw_parts(buffer.cast::<T>(), len, len);
        place.cast::<Vec<T>>().write(vec);
    }
}

unsafe fn vec_release<T>(place: *mut u8) {
    // SAFETY: the promise of `Sequence::release`. `ManuallyDrop<T>` has size and alignment of `T`.
    unsafe {
        let mut vec = ManuallyDrop::new(place.cast::<Vec<T>>().read());
        let buffer = vec.as_mut_ptr().cast::<ManuallyDrop<T>>();
        drop(Vec::from_raw_parts(buffer, 0, vec.capacity()));
    }
}

impl<T: Migrate> Migrate for VecDeque<T> {
    fn schema() -> &'static Schema {
        const { &Schema::of::<Self>(Shape::Sequence(Sequence::deque::<T>(T::schema))) }
    }
}

unsafe fn deque_spans<T>(deque: *const u8) -> [(*const u8, usize); 2] {
    // SAFETY: the promise of `Sequence::spans`.
    let deque = unsafe { &*deque.cast::<VecDeque<T>>() };
    let (first, second) = deque.as_slices();
    [
        (first.as_ptr().cast(), first.len()),
        (second.as_ptr().cast(), second.len()),
    ]
}

unsafe fn deque_adopt<T>(buffer: *mut u8, len: usize, place: *mut u8) {
    // SAFETY: the promise of `Sequence::adopt`: capacity and length are `len`.
    unsafe {
        let vec = Vec::from_raw_parts(buffer.cast::<T>(), len, len);
        place.cast::<VecDeque<T>>().write(vec.into());
    }
}

unsafe fn deque_release<T>(place: *mut u8) {
    // SAFETY: the promise of `Sequence::release`.
    let mut vec: Vec<T> = unsafe { place.cast::<VecDeque<T>>().read() }.into();
    // SAFETY: a vector may be shorter than what it holds.
    unsafe { vec.set_len(0) };
}

impl<T: Migrate> Migrate for Box<T> {
    fn schema() -> &'static Schema {
        // A box of a sized type is a pointer to memory of the global allocator, as documented.
        const { &Schema::of::<Self>(Shape::Boxed(T::schema)) }
    }
}
