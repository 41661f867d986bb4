//! Schemas of containers whose elements have none: functions of the program's make these whole.
//!
//! Macro output sees of a field's type how it is written, and puts the schema together of those of what stands
//! in it. [`Same`] tells whether what is written is the standard library's.

use std::collections::VecDeque;

use crate::migrate::cells::Cellular;
use crate::migrate::maps::Entries;
use crate::migrate::schema::{Choice, Of, Schema, Shape, Variant};
use crate::migrate::sequence::Sequence;
use crate::migrate::shared::Shared;

pub use std::collections::VecDeque as Deque;
/// The standard library's containers, whatever the names mean where macro output stands.
pub use std::{
    boxed::Box,
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    option::Option,
    rc::{Rc, Weak as RcWeak},
    result::Result,
    sync::{Arc, Mutex, RwLock, Weak as ArcWeak},
    vec::Vec,
};

/// `Same::<A, B>::IS` tells whether both are one type.
#[derive(Debug)]
pub struct Same<A: ?Sized, B: ?Sized>(std::marker::PhantomData<A>, std::marker::PhantomData<B>);

impl<A: ?Sized> Same<A, A> {
    /// They are.
    pub const IS: bool = true;
}

/// The answer for two types.
pub trait Differ {
    /// They are not.
    const IS: bool = false;
}

impl<A: ?Sized, B: ?Sized> Differ for Same<A, B> {}

/// The schema of a type of which nothing is known.
pub(crate) fn opaque<T>() -> &'static Schema {
    const { &Schema::opaque::<T>() }
}

/// The schema of an element: its own, or as a container, or enough to make and drop it.
#[must_use]
pub const fn element(own: Option<Of>, around: Option<Of>, opaque: Option<Of>) -> Of {
    match (own, around, opaque) {
        (Some(of), ..) | (None, Some(of), _) | (None, None, Some(of)) => of,
        // Of a type without a size, of which there is no element.
        (None, None, None) => self::opaque::<()>,
    }
}

/// The schema of a `Vec` of such elements.
#[must_use]
pub const fn vec<T>(element: Of) -> Schema {
    Schema::of::<Vec<T>>(Shape::Sequence(Sequence::vec::<T>(element)))
}

/// The schema of a `VecDeque` of such elements.
#[must_use]
pub const fn deque<T>(element: Of) -> Schema {
    Schema::of::<VecDeque<T>>(Shape::Sequence(Sequence::deque::<T>(element)))
}

/// The schema of a `Box` of such an element.
#[must_use]
pub const fn boxed<T: ?Sized>(element: Of) -> Schema {
    Schema::of::<Box<T>>(Shape::Boxed(element))
}

/// The schema of an `Option` with these variants.
#[must_use]
pub const fn option<T>(variants: &'static [Variant]) -> Schema {
    Schema::of::<Option<T>>(Shape::Choice(Choice::of::<Option<T>>(variants)))
}

/// The schema of a `Result` with these variants.
#[must_use]
pub const fn result<T, E>(variants: &'static [Variant]) -> Schema {
    Schema::of::<Result<T, E>>(Shape::Choice(Choice::of::<Result<T, E>>(variants)))
}

/// The schema of a map or set of such parts, if its elements can be inserted at all.
#[must_use]
pub const fn entries<T>(entries: Option<Entries>, parts: &'static [Of]) -> Schema {
    match entries {
        Some(entries) => Schema::of::<T>(Shape::Entries(Entries { parts, ..entries })),
        None => Schema::opaque::<T>(),
    }
}

/// The schema of a cell or lock around such an element, if its value has a size.
#[must_use]
pub const fn cellular<T>(cellular: Option<Cellular>, element: Of) -> Schema {
    match cellular {
        Some(cellular) => Schema::of::<T>(Shape::Cellular(Cellular {
            element,
            ..cellular
        })),
        None => Schema::opaque::<T>(),
    }
}

/// The schema of a counted reference to such an element, if that has a size.
#[must_use]
pub const fn shared<T>(shared: Option<Shared>, element: Of) -> Schema {
    match shared {
        Some(shared) => Schema::of::<T>(Shape::Shared(Shared { element, ..shared })),
        None => Schema::opaque::<T>(),
    }
}
