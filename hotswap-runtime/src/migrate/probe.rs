//! What a type has, asked where it may have it or not: a schema, a default, a text, a `Drop`, a destructor.
//!
//! `Probe::<T>::SCHEMA` is the inherent constant where its bound holds, which is preferred, else the
//! trait's. Macro output asks for concrete types, or with the bounds of a generic definition.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::rc;
use std::sync::{self, Mutex, RwLock};

use crate::migrate::cells::Cellular;
use crate::migrate::maps::{self, Entries};
use crate::migrate::schema::{Destructor, Maker, Of};
use crate::migrate::shared::{Shared, atomic, single};
use crate::migrate::{Migrate, around};

/// Stands for the type that is asked about.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: Migrate> Probe<T> {
    /// The type's schema.
    pub const SCHEMA: Option<Of> = Some(T::schema);
}

impl<T: Default> Probe<T> {
    /// Makes the type's default.
    pub const DEFAULT: Option<Maker> = Some(|place| put(place, T::default()));
}

impl<T: fmt::Debug> Probe<T> {
    /// Makes the type's text, over several lines where it is long.
    pub const TEXT: Option<fn(&T) -> String> = Some(|value| format!("{value:#?}"));
}

/// The answer for types without a text.
pub trait NoText {
    /// What it would be the text of.
    type Value;
    /// None.
    const TEXT: Option<fn(&Self::Value) -> String> = None;
}

impl<T> NoText for Probe<T> {
    type Value = T;
}

#[expect(drop_bounds, reason = "it asks for the implementation itself")]
impl<T: Drop> Probe<T> {
    /// The type has a `Drop` of its own.
    pub const OWN_DROP: bool = true;
}

/// The answer for types without a `Drop` of their own.
pub trait NoOwnDrop {
    /// It has none, though its fields may.
    const OWN_DROP: bool = false;
}

impl<T: ?Sized> NoOwnDrop for Probe<T> {}

/// What can be done with maps and sets, whose parts are filled in.
macro_rules! entries {
    ($($container:ident $made:ident <$($parameter:ident $(: $bound:ident $(+ $other:ident)?)?),*>),* $(,)?) => {$(
        impl<$($parameter $(: $bound $(+ $other)?)?),*> Probe<$container<$($parameter),*>> {
            /// What can be done with it.
            pub const ENTRIES: Option<Entries> = Some(maps::$made::<$($parameter),*>(&[]));
        }
    )*};
}

entries! {
    HashMap hash_map<K: Eq + Hash, V, S: BuildHasher>,
    HashSet hash_set<T: Eq + Hash, S: BuildHasher>,
    BTreeMap btree_map<K: Ord, V>,
    BTreeSet btree_set<T: Ord>,
}

/// What can be done with containers of one value, whose element is filled in.
macro_rules! one_inside {
    ($constant:ident: $kind:ident of $($container:ty => $made:path),* $(,)?) => {$(
        impl<T> Probe<$container> {
            /// What can be done with it.
            pub const $constant: Option<$kind> = Some($made(around::opaque::<T>));
        }
    )*};
}

one_inside! {
    CELLULAR: Cellular of
    Cell<T> => Cellular::cell::<T>,
    RefCell<T> => Cellular::ref_cell::<T>,
    Mutex<T> => Cellular::mutex::<T>,
    RwLock<T> => Cellular::rw_lock::<T>,
}

one_inside! {
    SHARED: Shared of
    rc::Rc<T> => single::strong::<T>,
    rc::Weak<T> => single::weak::<T>,
    sync::Arc<T> => atomic::strong::<T>,
    sync::Weak<T> => atomic::weak::<T>,
}

/// The answer for other types, and for containers of what has no size.
pub trait NoContainer {
    /// None.
    const ENTRIES: Option<Entries> = None;
    /// None.
    const CELLULAR: Option<Cellular> = None;
    /// None.
    const SHARED: Option<Shared> = None;
}

impl<T: ?Sized> NoContainer for Probe<T> {}

impl<T> Probe<T> {
    /// A schema that knows nothing of the type but how to move and drop it.
    pub const OPAQUE: Option<Of> = Some(around::opaque::<T>);
}

/// The answer for types without a size.
pub trait NoSize {
    /// None.
    const OPAQUE: Option<Of> = None;
}

impl<T: ?Sized> NoSize for Probe<T> {}

/// The answer for types without schema.
pub trait NoSchema {
    /// None.
    const SCHEMA: Option<Of> = None;
}

impl<T: ?Sized> NoSchema for Probe<T> {}

/// The answer for types without default.
pub trait NoDefault {
    /// None.
    const DEFAULT: Option<Maker> = None;
}

impl<T: ?Sized> NoDefault for Probe<T> {}

/// Writes a value to the place that a maker was given.
pub fn put<T>(place: *mut u8, value: T) {
    // SAFETY: the runtime calls makers with places that are good for writing a value of the type
    // whose schema they stand in; only macro output makes makers, and it passes on that place.
    unsafe { place.cast::<T>().write(value) };
}

/// The destructor of `T`, if it has one.
#[must_use]
pub const fn drop_of<T>() -> Option<Destructor> {
    if std::mem::needs_drop::<T>() {
        Some(drop_at::<T>)
    } else {
        None
    }
}

/// Drops the value at an address.
///
/// # Safety
///
/// A value of `T` is there, which nobody uses again.
unsafe fn drop_at<T>(place: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { place.cast::<T>().drop_in_place() };
}
