//! Containers whose elements are visited and inserted one by one: maps and sets.
//!
//! What is inserted is shared, until the swap stands, with the container that it was taken from, so
//! that no panic on the way may drop it: a hash or comparison of the user's can panic. So
//! elements are inserted wrapped in `ManuallyDrop`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::mem::ManuallyDrop;

use crate::migrate::Migrate;
use crate::migrate::schema::{Of, Schema, Shape};

/// The addresses of one element's parts: a map's key and value, or a set's element twice.
pub type Entry = [*const u8; 2];

/// What can be done with such a container, whatever its elements are.
///
/// # Safety
///
/// An address given as a container's is that of a valid one, and nobody else uses it meanwhile; a
/// place is good for writing one.
#[derive(Debug)]
pub struct Entries {
    /// The types of an element's parts, one or two.
    pub parts: &'static [Of],
    /// The number of elements.
    pub len: unsafe fn(*const u8) -> usize,
    /// Calls the function with each element, until it answers `false`.
    pub visit: unsafe fn(*const u8, &mut dyn FnMut(Entry) -> bool),
    /// What a new container takes over besides elements, for example how it hashes.
    pub manner: unsafe fn(*const u8) -> *const u8,
    /// The size of that in bytes, 0 if there is nothing.
    pub manner_bytes: usize,
    /// Makes an empty container with room for so many elements, of what `manner` told. That counts
    /// as moved afterwards.
    pub start: unsafe fn(usize, *const u8, *mut u8),
    /// Inserts an element, whose parts count as moved afterwards; `false` if its key is there
    /// already. If it panics, the parts are as they were, and the element is not in.
    pub insert: unsafe fn(*mut u8, Entry) -> bool,
    /// Frees what the container itself holds; elements are not dropped, nor what `manner` told.
    pub release: unsafe fn(*mut u8),
}

/// `T` with a destructor that does nothing.
type Kept<T> = ManuallyDrop<T>;

/// Checks, for each instance at compile time, what can be checked of the assumption that a
/// container of `Kept<T>` has the layout of one of `T`: `Kept` is transparent, and containers depend
/// on their elements' size and alignment alone.
pub(crate) const fn same_layout<A, B>() {
    assert!(size_of::<A>() == size_of::<B>() && align_of::<A>() == align_of::<B>());
}

impl<K: Migrate + Eq + Hash, V: Migrate, S: BuildHasher> Migrate for HashMap<K, V, S> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Entries(hash_map::<K, V, S>(
                const { &[K::schema as Of, V::schema as Of] },
            )))
        }
    }
}

/// A `HashMap` with such parts. It is made with room: one without refers to a constant of the code that makes it,
/// whose image would stay in memory.
pub(crate) const fn hash_map<K: Eq + Hash, V, S: BuildHasher>(parts: &'static [Of]) -> Entries {
    same_layout::<HashMap<K, V, S>, HashMap<Kept<K>, Kept<V>, S>>();
    same_layout::<HashMap<K, V, S>, HashMap<Kept<K>, Kept<V>, Kept<S>>>();
    same_layout::<(K, V), (Kept<K>, Kept<V>)>();
    Entries {
        parts,
        len: |map| of::<HashMap<K, V, S>>(map).len(),
        visit: |map, visitor| {
            for (key, value) in of::<HashMap<K, V, S>>(map) {
                if !visitor([address(key), address(value)]) {
                    break;
                }
            }
        },
        manner: |map| address(of::<HashMap<K, V, S>>(map).hasher()),
        manner_bytes: size_of::<S>(),
        start: |len, hasher, place| {
            let (room, hasher) = (len.max(1), take(hasher));
            let map = HashMap::<Kept<K>, Kept<V>, S>::with_capacity_and_hasher(room, hasher);
            write(place, map);
        },
        insert: |map, [key, value]| {
            use std::collections::hash_map::Entry;
            let map = of_mut::<HashMap<Kept<K>, Kept<V>, S>>(map);
            match map.entry(take(key)) {
                Entry::Occupied(_) => false,
                Entry::Vacant(free) => {
                    free.insert(take(value));
                    true
                }
            }
        },
        release: |map| drop(take::<HashMap<Kept<K>, Kept<V>, Kept<S>>>(map)),
    }
}

impl<T: Migrate + Eq + Hash, S: BuildHasher> Migrate for HashSet<T, S> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Entries(hash_set::<T, S>(
                const { &[T::schema as Of] },
            )))
        }
    }
}

/// A `HashSet` of such elements.
pub(crate) const fn hash_set<T: Eq + Hash, S: BuildHasher>(parts: &'static [Of]) -> Entries {
    same_layout::<HashSet<T, S>, HashSet<Kept<T>, S>>();
    same_layout::<HashSet<T, S>, HashSet<Kept<T>, Kept<S>>>();
    Entries {
        parts,
        len: |set| of::<HashSet<T, S>>(set).len(),
        visit: |set, visitor| {
            for element in of::<HashSet<T, S>>(set) {
                if !visitor([address(element); 2]) {
                    break;
                }
            }
        },
        manner: |set| address(of::<HashSet<T, S>>(set).hasher()),
        manner_bytes: size_of::<S>(),
        start: |len, hasher, place| {
            let set = HashSet::<Kept<T>, S>::with_capacity_and_hasher(len.max(1), take(hasher));
            write(place, set);
        },
        insert: |set, [element, _]| of_mut::<HashSet<Kept<T>, S>>(set).insert(take(element)),
        release: |set| drop(take::<HashSet<Kept<T>, Kept<S>>>(set)),
    }
}

impl<K: Migrate + Ord, V: Migrate> Migrate for BTreeMap<K, V> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Entries(btree_map::<K, V>(
                const { &[K::schema as Of, V::schema as Of] },
            )))
        }
    }
}

/// A `BTreeMap` with such parts.
pub(crate) const fn btree_map<K: Ord, V>(parts: &'static [Of]) -> Entries {
    same_layout::<BTreeMap<K, V>, BTreeMap<Kept<K>, Kept<V>>>();
    Entries {
        parts,
        len: |map| of::<BTreeMap<K, V>>(map).len(),
        visit: |map, visitor| {
            for (key, value) in of::<BTreeMap<K, V>>(map) {
                if !visitor([address(key), address(value)]) {
                    break;
                }
            }
        },
        manner: |_| std::ptr::null(),
        manner_bytes: 0,
        start: |_, _, place| write(place, BTreeMap::<Kept<K>, Kept<V>>::new()),
        insert: |map, [key, value]| {
            use std::collections::btree_map::Entry;
            let map = of_mut::<BTreeMap<Kept<K>, Kept<V>>>(map);
            match map.entry(take(key)) {
                Entry::Occupied(_) => false,
                Entry::Vacant(free) => {
                    free.insert(take(value));
                    true
                }
            }
        },
        release: |map| drop(take::<BTreeMap<Kept<K>, Kept<V>>>(map)),
    }
}

impl<T: Migrate + Ord> Migrate for BTreeSet<T> {
    fn schema() -> &'static Schema {
        const { &Schema::of::<Self>(Shape::Entries(btree_set::<T>(const { &[T::schema as Of] }))) }
    }
}

/// A `BTreeSet` of such elements.
pub(crate) const fn btree_set<T: Ord>(parts: &'static [Of]) -> Entries {
    same_layout::<BTreeSet<T>, BTreeSet<Kept<T>>>();
    Entries {
        parts,
        len: |set| of::<BTreeSet<T>>(set).len(),
        visit: |set, visitor| {
            for element in of::<BTreeSet<T>>(set) {
                if !visitor([address(element); 2]) {
                    break;
                }
            }
        },
        manner: |_| std::ptr::null(),
        manner_bytes: 0,
        start: |_, _, place| write(place, BTreeSet::<Kept<T>>::new()),
        insert: |set, [element, _]| of_mut::<BTreeSet<Kept<T>>>(set).insert(take(element)),
        release: |set| drop(take::<BTreeSet<Kept<T>>>(set)),
    }
}

fn address<T>(value: &T) -> *const u8 {
    std::ptr::from_ref(value).cast()
}

fn of<'a, T>(container: *const u8) -> &'a T {
    // SAFETY: only the functions of an `Entries` call this, for the container's own type, and their
    // callers promise a valid container that outlives the call.
    unsafe { &*container.cast::<T>() }
}

fn of_mut<'a, T>(container: *mut u8) -> &'a mut T {
    // SAFETY: as for `of`; nobody else uses the container. `T` has the container's own type, with
    // elements wrapped in `Kept`, whose layout `same_layout` speaks of.
    unsafe { &mut *container.cast::<T>() }
}

fn take<T>(part: *const u8) -> T {
    // SAFETY: as for `of`; what is there counts as moved, or is wrapped so that dropping it does
    // nothing.
    unsafe { part.cast::<T>().read() }
}

fn write<T>(place: *mut u8, container: T) {
    // SAFETY: as for `of`; the place is good for writing a container.
    unsafe { place.cast::<T>().write(container) };
}
