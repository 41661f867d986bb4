//! Containers that several threads convert: all values are there, in order, and failures name theirs.

use std::collections::{HashSet, VecDeque};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::Duration;

use hotswap::{Live, Migrate, SwapLimits};
use hotswap_state::{cell, dispose, migrate_within};

/// So many elements are worth four threads: each has 128 bytes in both versions together, or more.
const MANY: usize = 40_000;

/// One test at a time: defaults know nothing but statics.
static TURN: Mutex<()> = Mutex::new(());

/// The threads that have made defaults, or run hooks.
static THREADS: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);

/// How many more defaults can be made; below 0 any number.
static FUSE: AtomicIsize = AtomicIsize::new(-1);

/// How many values that defaults have made are alive.
static ALIVE: AtomicIsize = AtomicIsize::new(0);

/// Whether defaults wait.
static WAIT: AtomicBool = AtomicBool::new(false);

fn note_thread() {
    let mut threads = THREADS.lock().unwrap();
    threads
        .get_or_insert_default()
        .insert(thread::current().id());
}

fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    *THREADS.lock().unwrap() = None;
    turn
}

fn threads_seen() -> usize {
    THREADS.lock().unwrap().as_ref().map_or(0, HashSet::len)
}

/// What a default makes: it owns memory and is counted.
#[derive(Migrate, Debug, PartialEq)]
struct Fresh(Box<u64>);

impl Fresh {
    fn new() -> Self {
        note_thread();
        if FUSE.fetch_sub(1, Ordering::SeqCst) == 0 {
            panic!("the fuse");
        }
        while WAIT.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self(Box::new(5))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

fn doubled(old: &u64) -> u32 {
    note_thread();
    (*old * 2) as u32
}

mod v1 {
    use super::*;

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Item {
        pub id: u64,
        pub text: String,
        pub kind: Kind,
        pub rest: [u64; 2],
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub enum Kind {
        Plain,
        Gone,
        Nested(Box<Inner>),
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Inner {
        pub number: u64,
        pub list: Vec<Leaf>,
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Leaf {
        pub number: u64,
    }

    #[derive(Migrate, Debug)]
    pub struct Hooked {
        pub number: u64,
        pub rest: [u64; 127],
    }

    #[derive(Migrate, Debug)]
    pub struct Sharing {
        pub leaf: Arc<Leaf>,
        pub rest: [u64; 7],
    }
}

mod v2 {
    use super::*;

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Item {
        pub text: String,
        pub kind: Kind,
        #[migrate(default = Fresh::new())]
        pub fresh: Fresh,
        pub rest: [u64; 2],
        pub id: u64,
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub enum Kind {
        Nested(Box<Inner>),
        Plain,
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Inner {
        pub list: Vec<Leaf>,
        pub number: u64,
        #[migrate(default = true)]
        pub new: bool,
    }

    #[derive(Migrate, Debug, PartialEq)]
    pub struct Leaf {
        #[migrate(default = 3)]
        pub new: u8,
        pub number: u64,
    }

    #[derive(Migrate, Debug)]
    pub struct Hooked {
        #[migrate(with = doubled)]
        pub number: u32,
        pub rest: [u64; 127],
    }

    #[derive(Migrate, Debug)]
    pub struct Sharing {
        pub leaf: Arc<Leaf>,
        pub rest: [u64; 7],
    }
}

fn old(id: u64) -> v1::Item {
    let kind = match id % 3 {
        0 => v1::Kind::Plain,
        _ => v1::Kind::Nested(Box::new(v1::Inner {
            number: id * 3,
            list: (0..id % 4).map(|number| v1::Leaf { number }).collect(),
        })),
    };
    v1::Item {
        id,
        text: format!("item {id}"),
        kind,
        rest: [id, id + 1],
    }
}

fn check(number: usize, item: &v2::Item) {
    let id = number as u64;
    assert_eq!(item.id, id);
    assert_eq!(item.text, format!("item {id}"));
    assert_eq!((item.rest, &*item.fresh.0), ([id, id + 1], &5));
    match &item.kind {
        v2::Kind::Plain => assert_eq!(id % 3, 0),
        v2::Kind::Nested(inner) => {
            assert_eq!((inner.number, inner.new), (id * 3, true));
            let leaves = (0..id % 4).map(|number| v2::Leaf { new: 3, number });
            assert!(leaves.eq(inner.list.iter().map(|leaf| v2::Leaf { ..*leaf })));
        }
    }
}

fn limits(threads: usize) -> SwapLimits {
    let mut limits = SwapLimits::default();
    limits.threads = NonZero::new(threads);
    limits
}

/// Migrates what `fill` gives with so many threads.
fn run<A: Migrate + 'static, B: Migrate>(
    init: fn() -> A,
    threads: usize,
) -> Result<(&'static Live<B>, u64), String> {
    let cell = cell(init);
    drop(cell.read());
    migrate_within(cell, &[], limits(threads)).map(|(cell, done)| (cell, done.values))
}

/// Drops a cell, which the test doesn't use again.
fn done_with<T: Migrate>(cell: &'static Live<T>) {
    // SAFETY: tests here call this last, with the cell of the type that it has then.
    unsafe { dispose(cell) };
}

#[test]
fn vectors() {
    let _turn = turn();
    let alone = run::<Vec<v1::Item>, Vec<v2::Item>>(|| (0..MANY as u64).map(old).collect(), 1);
    let (alone, values) = alone.unwrap();
    assert_eq!(threads_seen(), 1);
    let several = run::<Vec<v1::Item>, Vec<v2::Item>>(|| (0..MANY as u64).map(old).collect(), 4);
    let (several, again) = several.unwrap();
    assert_eq!(threads_seen(), 1 + 4);
    assert_eq!(values, again, "as many values are counted");
    for cell in [alone, several] {
        let new = cell.read();
        assert_eq!((new.len(), new.capacity()), (MANY, MANY));
        for (number, item) in new.iter().enumerate() {
            check(number, item);
        }
    }
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2 * MANY as isize);
    done_with(alone);
    done_with(several);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
}

/// A queue whose elements stand in two rows, and the numbers of the rows.
fn queue() -> VecDeque<v1::Item> {
    let mut queue: VecDeque<_> = (MANY as u64 / 2..MANY as u64).map(old).collect();
    for id in (0..MANY as u64 / 2).rev() {
        queue.push_front(old(id));
    }
    queue
}

#[test]
fn queues_in_two_rows_and_arrays() {
    let _turn = turn();
    assert!(!queue().as_slices().1.is_empty());
    let (cell, _) = run::<VecDeque<v1::Item>, VecDeque<v2::Item>>(queue, 4).unwrap();
    for (number, item) in cell.read().iter().enumerate() {
        check(number, item);
    }
    done_with(cell);

    const LEN: usize = 20_000;
    type Array<T> = Box<[T; LEN]>;
    let array: fn() -> Array<v1::Item> = || {
        let items: Box<[_]> = (0..LEN as u64).map(old).collect();
        items.try_into().unwrap()
    };
    *THREADS.lock().unwrap() = None;
    let (cell, _) = run::<Array<v1::Item>, Array<v2::Item>>(array, 2).unwrap();
    assert_eq!(threads_seen(), 2);
    for (number, item) in cell.read().iter().enumerate() {
        check(number, item);
    }
    done_with(cell);
}

#[test]
fn a_failure_in_any_part_leaves_the_old_values() {
    let _turn = turn();
    let cell = cell(queue);
    drop(cell.read());
    let middle = cell.read().as_slices().0.len();
    for number in [0, 9_999, middle - 1, middle, middle + 7, MANY - 1] {
        cell.write()[number].kind = v1::Kind::Gone;
        let outcome = migrate_within::<_, VecDeque<v2::Item>>(cell, &[], limits(4));
        let error = outcome.unwrap_err();
        let place = format!("failed: cell `cell`, field `[{number}].kind`, ");
        assert!(error.starts_with(&place), "{error}");
        assert!(error.contains("variant `Gone`"), "{error}");
        cell.write()[number].kind = old(number as u64).kind;
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0, "all are taken apart");
    }
    // Of several failures the first element's is told.
    cell.write()[5].kind = v1::Kind::Gone;
    cell.write()[middle - 1].kind = v1::Kind::Gone;
    let outcome = migrate_within::<_, VecDeque<v2::Item>>(cell, &[], limits(4));
    let error = outcome.unwrap_err();
    assert!(error.contains("`[5].kind`"), "{error}");
    for number in [5, middle - 1] {
        cell.write()[number].kind = old(number as u64).kind;
    }
    // Panics, in one thread or another.
    for fuse in [0, 1, MANY as isize / 3, MANY as isize - 1] {
        FUSE.store(fuse, Ordering::SeqCst);
        let outcome = migrate_within::<_, VecDeque<v2::Item>>(cell, &[], limits(4));
        FUSE.store(-1, Ordering::SeqCst);
        let error = outcome.unwrap_err();
        assert!(error.contains("].fresh`"), "{error}");
        assert!(error.ends_with("panicked: the fuse"), "{error}");
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0, "all are taken apart");
    }
    assert!(cell.read().iter().eq(&queue()), "as it was");
    done_with(cell);
}

#[test]
fn functions_and_shared_values_have_one_thread() {
    let _turn = turn();
    let hooked: fn() -> Vec<v1::Hooked> = || {
        let of = |number| v1::Hooked {
            number,
            rest: [number; 127],
        };
        (0..MANY as u64).map(of).collect()
    };
    let (cell, _) = run::<_, Vec<v2::Hooked>>(hooked, 4).unwrap();
    assert_eq!(threads_seen(), 1);
    for (number, item) in cell.read().iter().enumerate() {
        assert_eq!(item.number as usize, 2 * number);
        assert_eq!(item.rest, [number as u64; 127]);
    }
    done_with(cell);

    let sharing: fn() -> Vec<v1::Sharing> = || {
        let leaf = Arc::new(v1::Leaf { number: 9 });
        let of = |number| v1::Sharing {
            leaf: Arc::clone(&leaf),
            rest: [number; 7],
        };
        (0..MANY as u64).map(of).collect()
    };
    let (cell, _) = run::<_, Vec<v2::Sharing>>(sharing, 4).unwrap();
    let new = cell.read();
    assert_eq!(Arc::strong_count(&new[0].leaf), MANY);
    assert_eq!(new[MANY - 1].leaf.number, 9);
    assert!(
        new.iter()
            .enumerate()
            .all(|(n, item)| item.rest == [n as u64; 7])
    );
    drop(new);
    done_with(cell);
}

#[test]
fn a_default_that_does_not_return_is_left_behind_with_all_threads() {
    let _turn = turn();
    let cell = cell(queue);
    drop(cell.read());
    WAIT.store(true, Ordering::SeqCst);
    let mut limits = limits(4);
    limits.functions = Duration::from_millis(60);
    let outcome = migrate_within::<_, VecDeque<v2::Item>>(cell, &[], limits);
    let error = outcome.unwrap_err();
    assert!(error.starts_with("stuck: "), "{error}");
    assert_eq!(cell.read()[7], old(7));
    WAIT.store(false, Ordering::SeqCst);
    // The guard is there again when the threads have ended, and nothing of theirs is left.
    assert_eq!(cell.write().len(), MANY);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    assert!(cell.read().iter().eq(&queue()), "as it was");
    done_with(cell);
}
