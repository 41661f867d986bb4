//! Elements that migrate when they are first used: all are there, each is changed once, failures leave
//! them as they were, and nothing is leaked or dropped twice.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

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

fn each_piece_is_changed_when_it_is_used() {
    let cell = second(world());
    assert_eq!(made(), 0);
    let world = cell.read();
    assert_eq!(
        (world.round, world.items.len(), world.items.left()),
        (7, MANY, MANY)
    );
    check_second(PIECE + 3, &world.items[PIECE + 3]);
    assert_eq!((made(), world.items.left()), (PIECE as isize, MANY - PIECE));
    check_second(PIECE, &world.items[PIECE]);
    assert!(world.items.get(MANY).is_none());
    for (number, item) in world.items.iter().enumerate() {
        check_second(number, item);
    }
    assert_eq!((made(), world.items.left()), (MANY as isize, 0));
    drop(world);
    end(cell);
}

fn threads_that_use_one_piece_find_it_changed_once() {
    let cell = second(world());
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                for (number, item) in cell.read().items.iter().enumerate() {
                    check_second(number, item);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(made(), MANY as isize);
    end(cell);
}

fn several_changes_come_one_after_the_other() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let cell = changed(migrate::<_, v3::World>(cell, &[]));
    assert_eq!(made(), PIECE as isize);
    let world = cell.read();
    for number in [MANY - 1, 0] {
        let item = &world.items[number];
        let id = number as u64;
        assert_eq!((item.id, *item.kept.0, *item.fresh.0), (id, id, 5));
    }
    // The piece in the middle goes with the cell as it was in the first version.
    assert_eq!(world.items.left(), PIECE);
    drop(world);
    end(cell);
}

fn what_was_not_used_is_as_it_was_after_a_revert() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let cell = changed(migrate::<_, v1::World>(cell, &[]));
    for (number, item) in cell.read().items.iter().enumerate() {
        check_first(number, item);
        let gone = if number < PIECE { 0 } else { number as u64 + 1 };
        assert_eq!(*item.gone.0, gone);
    }
    assert_eq!((made(), cell.read().items.left()), (PIECE as isize, 0));
    end(cell);
}

fn a_panic_leaves_elements_as_they_were() {
    let cell = second(world());
    FUSE.store(PIECE as isize + 20, Ordering::SeqCst);
    let world = cell.read();
    check_second(5, &world.items[5]);
    let alive = ALIVE.load(Ordering::SeqCst);
    let text = panic_of(|| check_second(PIECE, &world.items[PIECE]));
    assert!(
        text.contains("field `[20].fresh`") && text.contains("the fuse"),
        "{text}"
    );
    assert_eq!(ALIVE.load(Ordering::SeqCst), alive);
    assert_eq!(world.items.left(), MANY - PIECE);
    drop(world);
    // The fuse is burnt, so the next use works.
    check_second(PIECE, &cell.read().items[PIECE]);
    FUSE.store(0, Ordering::SeqCst);
    let text = panic_of(|| cell.read().items.finish());
    assert!(text.contains("the fuse"), "{text}");
    // Elements that could not be changed are none the worse for it.
    let cell = changed(migrate::<_, v1::World>(cell, &[]));
    for (number, item) in cell.read().items.iter().enumerate() {
        check_first(number, item);
    }
    end(cell);
}

fn a_swap_that_fails_leaves_all_to_the_old_value() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let before = made();
    let outcome = migrate::<_, Fails>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(outcome.contains("no way"), "{outcome}");
    assert_eq!(made(), before);
    for (number, item) in cell.read().items.iter().enumerate() {
        check_second(number, item);
    }
    end(cell);
}

#[derive(Migrate, Default)]
struct Other {
    number: u32,
}

fn no_way(_: &u32) -> Result<u8, String> {
    Err("no way".to_owned())
}

#[derive(Migrate)]
struct Failing {
    #[migrate(with = no_way)]
    number: u8,
}

/// The container stands before what fails.
#[derive(Migrate)]
struct Fails {
    #[migrate(lazy)]
    items: Pieces<v3::Item>,
    #[migrate(with = no_way)]
    round: u8,
}

fn without_the_attribute_all_are_changed_at_once() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    for fuse in [0, 30, PIECE as isize + 50] {
        FUSE.store(fuse, Ordering::SeqCst);
        let failure = migrate::<_, v3::Eager>(cell, &[]).map(|_| ()).unwrap_err();
        assert!(failure.contains("the fuse"), "{failure}");
    }
    let cell = changed(migrate::<_, v3::Eager>(cell, &[]));
    assert_eq!(cell.read().items.left(), 0);
    for (number, item) in cell.read().items.iter().enumerate() {
        let id = number as u64;
        assert_eq!((item.id, *item.kept.0, *item.fresh.0), (id, id, 5));
    }
    end(cell);
}

fn a_container_in_change_can_be_changed() {
    let cell = second(world());
    let mut world = cell.write();
    let items = &mut world.items;
    let last = items.pop().unwrap();
    check_second(MANY - 1, &last);
    items.push(last);
    check_second(MANY - 1, &items[MANY - 1]);
    check_second(3, &items.swap_remove(3));
    check_second(MANY - 1, &items[3]);
    items.swap(3, PIECE + 3);
    check_second(PIECE + 3, &items[3]);
    check_second(MANY - 1, &items[PIECE + 3]);
    items.iter_mut().for_each(|item| item.number = 0);
    assert_eq!((items.len(), items.left()), (MANY - 1, 0));
    let all = Vec::from(std::mem::take(items));
    assert!(all.len() == MANY - 1 && all.iter().all(|item| item.number == 0));
    drop(world);
    end(cell);
}

/// Whether defaults use elements.
static REACHES_OUT: AtomicBool = AtomicBool::new(false);

/// The cell that they find.
static GRID: AtomicPtr<Live<grid::New>> = AtomicPtr::new(std::ptr::null_mut());

mod grid {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct Old {
        #[migrate(lazy)]
        pub all: Pieces<OldCell>,
    }

    #[derive(Migrate)]
    pub struct OldCell {
        pub number: usize,
    }

    #[derive(Migrate)]
    pub struct New {
        #[migrate(lazy)]
        pub all: Pieces<NewCell>,
    }

    #[derive(Migrate)]
    pub struct NewCell {
        pub number: usize,
        #[migrate(default = neighbour())]
        pub neighbour: usize,
    }
}

/// Reads the element of another piece, as code of the new version would.
fn neighbour() -> usize {
    if !REACHES_OUT.load(Ordering::SeqCst) {
        return 1;
    }
    // SAFETY: the cell is there when this is called.
    let cell = unsafe { &*GRID.load(Ordering::SeqCst) };
    cell.read().all[PIECE].number
}

fn a_default_can_not_use_elements_that_wait() {
    let all = (0..=PIECE).map(|number| grid::OldCell { number });
    let cell = cell(grid::Old::default);
    cell.write().all = all.collect();
    let cell = changed(migrate::<_, grid::New>(cell, &[]));
    GRID.store(std::ptr::from_ref(cell).cast_mut(), Ordering::SeqCst);
    REACHES_OUT.store(true, Ordering::SeqCst);
    let text = panic_of(|| assert_eq!(cell.read().all[0].number, 0));
    assert!(text.contains("used by a function that makes"), "{text}");
    REACHES_OUT.store(false, Ordering::SeqCst);
    assert_eq!(cell.read().all[PIECE].neighbour, 1);
    REACHES_OUT.store(true, Ordering::SeqCst);
    assert_eq!(cell.read().all[0].neighbour, PIECE);
    REACHES_OUT.store(false, Ordering::SeqCst);
    cell.write().all.clear();
    assert!(cell.read().all.is_empty());
    end(cell);
}

mod refused {
    use super::*;

    /// What can't wait, in both versions.
    macro_rules! pair {
        ($module:ident, $old:ty, $new:ty) => {
            pub mod $module {
                use super::*;

                #[derive(Migrate, Default)]
                pub struct Old {
                    #[migrate(lazy)]
                    pub all: Pieces<Before>,
                }

                #[derive(Migrate)]
                pub struct Before {
                    pub it: $old,
                }

                #[derive(Migrate)]
                pub struct New {
                    #[migrate(lazy)]
                    pub all: Pieces<After>,
                }

                #[derive(Migrate)]
                pub struct After {
                    pub it: $new,
                }
            }
        };
    }

    pair!(shared, Arc<v1::Leaf>, Arc<v2::Leaf>);
    pair!(keys, HashMap<OldKey, u8>, HashMap<NewKey, u8>);
    pair!(variants, OldKind, NewKind);
    pair!(nested, OldList, NewList);

    #[derive(Migrate, PartialEq, Eq, Hash)]
    pub struct OldKey {
        number: u8,
    }

    #[derive(Migrate, PartialEq, Eq, Hash)]
    pub struct NewKey {
        number: u8,
        more: u8,
    }

    #[derive(Migrate)]
    pub enum OldKind {
        Kept,
        Gone(u8),
    }

    #[derive(Migrate)]
    pub enum NewKind {
        Kept,
    }

    #[derive(Migrate)]
    pub struct OldList {
        next: Option<Box<OldList>>,
    }

    #[derive(Migrate)]
    pub struct NewList {
        more: u8,
        next: Option<Box<NewList>>,
    }

    #[derive(Migrate, Default)]
    pub struct Old {
        #[migrate(lazy)]
        pub all: Pieces<super::Other>,
    }

    #[derive(Migrate)]
    pub struct New {
        #[migrate(lazy)]
        pub all: Pieces<super::Failing>,
    }
}

fn what_could_fail_later_is_refused() {
    fn refusal<A: Migrate + Default + 'static, B: Migrate + 'static>() -> String {
        let cell = cell(A::default);
        let outcome = migrate::<A, B>(cell, &[]).map(|_| ()).unwrap_err();
        end(cell);
        outcome
    }
    for (text, expected) in [
        (
            refusal::<refused::Old, refused::New>(),
            "field `number`: the function that makes it returns a `Result`",
        ),
        (
            refusal::<refused::shared::Old, refused::shared::New>(),
            "counted references are changed all at once",
        ),
        (
            refusal::<refused::keys::Old, refused::keys::New>(),
            "its keys change",
        ),
        (
            refusal::<refused::variants::Old, refused::variants::New>(),
            "its variant `Gone` was removed",
        ),
        (
            refusal::<refused::nested::Old, refused::nested::New>(),
            "nested to any depth",
        ),
    ] {
        assert!(
            text.contains(expected) && text.contains("leave `lazy` out"),
            "{text}"
        );
    }
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
        each_piece_is_changed_when_it_is_used,
        threads_that_use_one_piece_find_it_changed_once,
        several_changes_come_one_after_the_other,
        what_was_not_used_is_as_it_was_after_a_revert,
        a_panic_leaves_elements_as_they_were,
        a_swap_that_fails_leaves_all_to_the_old_value,
        without_the_attribute_all_are_changed_at_once,
        a_container_in_change_can_be_changed,
        a_default_can_not_use_elements_that_wait,
        what_could_fail_later_is_refused,
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
