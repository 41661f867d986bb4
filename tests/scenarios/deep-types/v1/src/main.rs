//! Has deep and cyclic types.
#![recursion_limit = "2048"]

use std::{io, marker::PhantomData, sync::Mutex};

struct Zero;
struct Next<T>(u8, PhantomData<T>, Option<Box<T>>);

trait Depth {
    const DEPTH: u32;
    fn make() -> Self;
}

impl Depth for Zero {
    const DEPTH: u32 = 0;

    fn make() -> Self {
        Self
    }
}

impl<T: Depth> Depth for Next<T> {
    const DEPTH: u32 = T::DEPTH + 1;

    fn make() -> Self {
        Self(1, PhantomData, Some(Box::new(T::make())))
    }
}

macro_rules! nest {
    ($inner:ty;) => { $inner };
    ($inner:ty; a $($rest:tt)*) => {
        nest!(Next<Next<Next<Next<Next<$inner>>>>>; $($rest)*)
    };
}

type Ten = nest!(Zero; a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a);
type Deep = nest!(Ten; a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a);

struct Ring {
    next: Option<Box<Ring>>,
    other: Option<Box<Mutex<Vec<Ring>>>>,
}

static RING: Mutex<Option<Ring>> = Mutex::new(None);
static DEEP: Mutex<Option<Deep>> = Mutex::new(None);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let outermost = DEEP.lock().unwrap().get_or_insert_with(Deep::make).0;
    let deep = Deep::DEPTH * u32::from(outermost);
    let mut ring = RING.lock().unwrap();
    let inner = Ring { next: None, other: Some(Box::new(Mutex::new(Vec::new()))) };
    let ring = ring.insert(Ring {
        next: Some(Box::new(Ring { next: Some(Box::new(inner)), other: None })),
        other: None,
    });
    let mut length = 1 + ring.other.iter().len();
    let mut node = ring.next.as_ref();
    while let Some(next) = node {
        length += 1;
        node = next.next.as_ref();
    }
    format!("{}, {deep} deep, ring {length}", "one")
}
