//! Elements that migrate when they are first used: all are there, each is changed once, failures leave
//! them as they were, and nothing is leaked or dropped twice.

mod neighbours;
mod refused;
mod swaps;
mod uses;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicIsize, Ordering};

use hotswap::{Live, Migrate, Pieces};
use hotswap_state::faults::{BYTES, Counting};
use hotswap_state::{cell, dispose, migrate};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Elements of a piece.
const PIECE: usize = 1024;

/// Three pieces, the last one of which is not full.
const MANY: usize = 2 * PIECE + 100;

/// How many values that own memory are alive.
static ALIVE: AtomicIsize = AtomicIsize::new(0);

/// How many defaults were made.
static MADE: AtomicIsize = AtomicIsize::new(0);

/// How many more can be; below 0 any number.
static FUSE: AtomicIsize = AtomicIsize::new(-1);

/// A value that owns memory.
#[derive(Migrate, Debug, PartialEq)]
struct Owned(Box<u64>);

impl Owned {
    fn new(value: u64) -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self(Box::new(value))
    }

    /// As a default makes it.
    fn fresh() -> Self {
        assert_ne!(FUSE.fetch_sub(1, Ordering::SeqCst), 0, "the fuse");
        MADE.fetch_add(1, Ordering::SeqCst);
        Self::new(5)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Default for Owned {
    fn default() -> Self {
        Self::fresh()
    }
}

fn doubled(old: &u32) -> u64 {
    u64::from(*old) * 2
}

fn halved(new: &u64) -> u32 {
    (*new / 2) as u32
}

mod v1 {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct World {
        pub round: u32,
        #[migrate(lazy)]
        pub items: Pieces<Item>,
    }

    #[derive(Migrate)]
    pub struct Item {
        pub id: u64,
        pub number: u32,
        #[migrate(default = Owned::new(0))]
        pub gone: Owned,
        pub kept: Owned,
        pub kind: Kind,
        pub by_name: HashMap<String, Leaf>,
    }

    #[derive(Migrate)]
    pub enum Kind {
        Plain,
        Nested(Box<Twig>),
    }

    #[derive(Migrate)]
    pub struct Twig {
        pub leaves: Vec<Leaf>,
    }

    #[derive(Migrate)]
    pub struct Leaf {
        pub number: u64,
    }
}

mod v2 {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct World {
        #[migrate(lazy)]
        pub items: Pieces<Item>,
        pub round: u32,
    }

    #[derive(Migrate)]
    pub struct Item {
        pub fresh: Owned,
        pub kept: Owned,
        pub kind: Kind,
        #[migrate(was = "number: u32", with = doubled, back = halved)]
        pub number: u64,
        pub id: u64,
        pub by_name: HashMap<String, Leaf>,
    }

    #[derive(Migrate)]
    pub enum Kind {
        Nested(Box<Twig>),
        Plain,
    }

    #[derive(Migrate)]
    pub struct Twig {
        pub leaves: Vec<Leaf>,
    }

    #[derive(Migrate)]
    pub struct Leaf {
        #[migrate(default = 3)]
        pub new: u8,
        pub number: u64,
    }
}

mod v3 {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct World {
        pub round: u32,
        #[migrate(lazy)]
        pub items: Pieces<Item>,
    }

    #[derive(Migrate)]
    pub struct Item {
        pub id: u64,
        pub fresh: Owned,
        pub kept: Owned,
    }

    #[derive(Migrate, Default)]
    pub struct Eager {
        pub round: u32,
        pub items: Pieces<Item>,
    }
}

fn item(number: usize) -> v1::Item {
    let id = number as u64;
    let leaf = |number| v1::Leaf { number };
    v1::Item {
        id,
        number: number as u32,
        gone: Owned::new(id + 1),
        kept: Owned::new(id),
        kind: match number % 2 {
            0 => v1::Kind::Plain,
            _ => v1::Kind::Nested(Box::new(v1::Twig {
                leaves: (0..id % 4).map(leaf).collect(),
            })),
        },
        by_name: HashMap::from([(format!("item {id}"), leaf(id))]),
    }
}

fn world() -> &'static Live<v1::World> {
    let cell = cell(v1::World::default);
    cell.write().round = 7;
    cell.write().items = (0..MANY).map(item).collect();
    cell
}

fn check_first(number: usize, item: &v1::Item) {
    let id = number as u64;
    assert_eq!((item.id, *item.kept.0), (id, id));
    assert_eq!(item.number, number as u32);
    assert_eq!(item.by_name[&format!("item {id}")].number, id);
    match &item.kind {
        v1::Kind::Plain => assert_eq!(number % 2, 0),
        v1::Kind::Nested(twig) => assert_eq!(twig.leaves.len() as u64, id % 4),
    }
}

fn check_second(number: usize, item: &v2::Item) {
    let id = number as u64;
    assert_eq!((item.id, *item.kept.0, *item.fresh.0), (id, id, 5));
    assert_eq!(item.number, id * 2);
    let leaf = &item.by_name[&format!("item {id}")];
    assert_eq!((leaf.number, leaf.new), (id, 3));
    match &item.kind {
        v2::Kind::Plain => assert_eq!(number % 2, 0),
        v2::Kind::Nested(twig) => {
            let leaves = twig.leaves.iter().map(|leaf| (leaf.number, leaf.new));
            assert!(leaves.eq((0..id % 4).map(|number| (number, 3))));
        }
    }
}

fn second(cell: &'static Live<v1::World>) -> &'static Live<v2::World> {
    changed(migrate::<_, v2::World>(cell, &[]))
}

fn changed<T: Migrate, R>(outcome: Result<(&'static Live<T>, R), String>) -> &'static Live<T> {
    outcome.unwrap_or_else(|error| panic!("{error}")).0
}

/// Drops a cell that a test is done with.
fn end<T: Migrate>(cell: &'static Live<T>) {
    // SAFETY: tests end with it, and have used it as one of this type.
    unsafe { dispose(cell) };
}

/// What the function panics with.
fn panic_of(function: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(function)).expect_err("it has to panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

fn made() -> isize {
    MADE.load(Ordering::SeqCst)
}

/// One test without a harness, since all count what the process allocates.
fn main() {
    hotswap_state::faults::begin();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        let meant = [
            "the fuse",
            "elements could not be",
            "elements that have not",
        ];
        if !meant.iter().any(|meant| text.contains(meant)) {
            usual(panic);
        }
    }));
    let tests: [fn(); 10] = [
        uses::each_piece_is_changed_when_it_is_used,
        uses::threads_that_use_one_piece_find_it_changed_once,
        uses::several_changes_come_one_after_the_other,
        swaps::what_was_not_used_is_as_it_was_after_a_revert,
        uses::a_panic_leaves_elements_as_they_were,
        swaps::a_swap_that_fails_leaves_all_to_the_old_value,
        swaps::without_the_attribute_all_are_changed_at_once,
        uses::a_container_in_change_can_be_changed,
        neighbours::a_default_can_not_use_elements_that_wait,
        refused::what_could_fail_later_is_refused,
    ];
    for test in tests {
        MADE.store(0, Ordering::SeqCst);
        FUSE.store(-1, Ordering::SeqCst);
        test();
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    }
    // What is allocated once for all is allocated now.
    let bytes = BYTES.load(Ordering::SeqCst);
    for test in tests {
        MADE.store(0, Ordering::SeqCst);
        FUSE.store(-1, Ordering::SeqCst);
        test();
        assert_eq!(BYTES.load(Ordering::SeqCst), bytes);
    }
}
