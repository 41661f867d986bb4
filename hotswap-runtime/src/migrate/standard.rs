//! Types of the standard library that never change while a program runs: they can only be moved.

use std::collections::{BinaryHeap, LinkedList};
use std::ffi::{CString, OsString};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::ops::{Bound, Range, RangeFrom, RangeInclusive, RangeTo};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::migrate::Migrate;
use crate::migrate::schema::Schema;

macro_rules! opaque {
    ($($type:ty),+ $(,)?) => {$(
        impl Migrate for $type {
            fn schema() -> &'static Schema {
                const { &Schema::opaque::<Self>() }
            }
        }
    )+};
}

opaque! {
    (), bool, char,
    u8, u16, u32, u64, u128, usize,
    i8, i16, i32, i64, i128, isize,
    f32, f64,
    String, OsString, CString, PathBuf,
    Duration, Instant, SystemTime,
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6,
    std::sync::atomic::AtomicBool,
    std::sync::atomic::AtomicU8, std::sync::atomic::AtomicU16,
    std::sync::atomic::AtomicU32, std::sync::atomic::AtomicU64,
    std::sync::atomic::AtomicUsize,
    std::sync::atomic::AtomicI8, std::sync::atomic::AtomicI16,
    std::sync::atomic::AtomicI32, std::sync::atomic::AtomicI64,
    std::sync::atomic::AtomicIsize,
    std::cmp::Ordering,
    std::collections::hash_map::RandomState,
    Box<str>, std::rc::Rc<str>, std::sync::Arc<str>,
}

macro_rules! opaque_of {
    ($($type:ty),+ $(,)?) => {$(
        impl<T> Migrate for $type {
            fn schema() -> &'static Schema {
                const { &Schema::opaque::<Self>() }
            }
        }
    )+};
}

opaque_of! {
    Box<[T]>, std::rc::Rc<[T]>, std::sync::Arc<[T]>,
    LinkedList<T>, BinaryHeap<T>,
    Wrapping<T>, Saturating<T>,
    Bound<T>, Range<T>, RangeFrom<T>, RangeInclusive<T>, RangeTo<T>,
    std::cmp::Reverse<T>,
    std::cell::OnceCell<T>, std::sync::OnceLock<T>,
}

macro_rules! opaque_of_unsized {
    ($($type:ty),+) => {$(
        impl<T: ?Sized> Migrate for $type {
            fn schema() -> &'static Schema {
                const { &Schema::opaque::<Self>() }
            }
        }
    )+};
}

opaque_of_unsized!(PhantomData<T>, &T, &mut T, *const T, *mut T);

macro_rules! non_zero {
    ($($type:ty)+) => {$(
        impl Migrate for NonZero<$type> {
            fn schema() -> &'static Schema {
                const { &Schema::opaque::<Self>() }
            }
        }
    )+};
}

non_zero!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! functions {
    ($(($($name:ident)*))+) => {$(
        impl<Z, $($name),*> Migrate for fn($($name),*) -> Z {
            fn schema() -> &'static Schema {
                const { &Schema::opaque::<Self>() }
            }
        }
    )+};
}

functions!(() (A) (A B) (A B C) (A B C D));
