//! Others may have references to what a walk reads, which is known only at its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, TryLockError, Weak};
use std::thread;
use std::time::Duration;

use hotswap::__private::v0_1_0::{
    Choice, Choose, Field, Fields, Parts, Rehearsal, Schema, Shape, Variant,
};
use hotswap::{Migrate, SwapLimits, Unavailable};
use hotswap_state::{Planner, cell, migrate, migrate_within};

mod v1 {
    use super::{Arc, Mutex, RwLock, Weak};

    #[derive(hotswap::Migrate)]
    pub struct Item {
        pub name: String,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Desk {
        pub items: Arc<Mutex<Vec<Item>>>,
        pub shelf: Arc<(u8, RwLock<Vec<Item>>)>,
    }

    #[derive(hotswap::Migrate)]
    pub struct Noted {
        pub name: super::Counted,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Watch {
        pub seen: Vec<Weak<Noted>>,
        pub gone: Vec<Arc<Noted>>,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Drawer {
        pub kept: Vec<Arc<Item>>,
        pub gone: Vec<Arc<Mutex<Vec<Arc<Item>>>>>,
    }
}

mod v2 {
    use super::{Arc, Mutex, RwLock, Weak};

    #[derive(hotswap::Migrate)]
    pub struct Item {
        pub name: String,
        #[migrate(default = super::look())]
        pub locked: (bool, bool),
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Desk {
        pub items: Arc<Mutex<Vec<Item>>>,
        pub shelf: Arc<(u8, RwLock<Vec<Item>>)>,
    }

    #[derive(hotswap::Migrate)]
    pub struct Noted {
        pub name: super::Counted,
        #[migrate(default = super::give_up())]
        pub dropped: usize,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Watch {
        pub seen: Vec<Weak<Noted>>,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Drawer {
        pub kept: Vec<Arc<Item>>,
    }
}

type Shelf = (u8, RwLock<Vec<v1::Item>>);

/// What somebody outside of cells has.
static ITEMS: Mutex<Option<Arc<Mutex<Vec<v1::Item>>>>> = Mutex::new(None);
static SHELF: Mutex<Option<Arc<Shelf>>> = Mutex::new(None);
static NOTED: Mutex<Option<Arc<v1::Noted>>> = Mutex::new(None);
/// What the walk has found of locks.
static FOUND: Mutex<Vec<(bool, bool)>> = Mutex::new(Vec::new());
/// Only one test at a time uses all this.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|turn| turn.into_inner())
}

/// Whether others can't lock what is read just now.
fn look() -> (bool, bool) {
    let items = ITEMS.lock().unwrap();
    let shelf = SHELF.lock().unwrap();
    let would_block = |items: &Arc<Mutex<Vec<v1::Item>>>| {
        let outcome = items.try_lock();
        matches!(outcome, Err(TryLockError::WouldBlock))
    };
    let shelf_would_block = |shelf: &Arc<Shelf>| {
        let outcome = shelf.1.try_read();
        matches!(outcome, Err(TryLockError::WouldBlock))
    };
    let found = (
        items.as_ref().is_some_and(would_block),
        shelf.as_ref().is_some_and(shelf_would_block),
    );
    FOUND.lock().unwrap().push(found);
    found
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);
/// How many there were dropped in the middle of the walk.
static EARLY: AtomicUsize = AtomicUsize::new(0);

/// A text that tells when it is dropped.
pub struct Counted(String);

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(self.0, "noted");
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Gives up the reference outside of cells in the middle of the walk, and tells what was dropped.
fn give_up() -> usize {
    drop(NOTED.lock().unwrap().take());
    let dropped = DROPPED.load(Ordering::SeqCst);
    EARLY.store(dropped, Ordering::SeqCst);
    dropped
}

fn items() -> Vec<v1::Item> {
    let item = |number| v1::Item {
        name: format!("item {number}"),
    };
    (0..3).map(item).collect()
}

#[test]
fn locks_are_held_while_others_may_have_a_reference() {
    let _turn = turn();
    let cell = cell(|| v1::Desk {
        items: Arc::new(Mutex::new(items())),
        shelf: Arc::new((1, RwLock::new(items()))),
    });
    let (mine, shelf) = {
        let desk = cell.read();
        (Arc::clone(&desk.items), Arc::clone(&desk.shelf))
    };
    *ITEMS.lock().unwrap() = Some(Arc::clone(&mine));
    *SHELF.lock().unwrap() = Some(Arc::clone(&shelf));
    FOUND.lock().unwrap().clear();
    let error = migrate::<_, v2::Desk>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(error.contains("somebody holds another one"), "{error}");
    // What was locked stays so while the rest is read.
    let found = FOUND.lock().unwrap().clone();
    assert!(found[..3].iter().all(|(items, shelf)| items != shelf));
    assert_eq!(found[3..], [(true, true); 3]);
    assert_eq!(mine.try_lock().unwrap().len(), 3);
    assert_eq!(shelf.1.try_write().unwrap().len(), 3);
    // Somebody who has a lock keeps the value.
    let guard = mine.lock().unwrap();
    let error = migrate::<_, v2::Desk>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(error.contains("the `Mutex` is locked"), "{error}");
    drop(guard);
    *ITEMS.lock().unwrap() = None;
    *SHELF.lock().unwrap() = None;
    drop((mine, shelf));
    let (cell, done) = migrate::<_, v2::Desk>(cell, &[]).unwrap();
    assert_eq!(done.warnings, [""; 0]);
    let desk = cell.read();
    assert_eq!(desk.items.try_lock().unwrap()[2].name, "item 2");
    assert_eq!(desk.shelf.1.try_write().unwrap()[1].name, "item 1");
}

fn noted() -> Arc<v1::Noted> {
    Arc::new(v1::Noted {
        name: Counted("noted".to_owned()),
    })
}

#[test]
fn what_others_give_up_lives_until_it_was_read() {
    let _turn = turn();
    DROPPED.store(0, Ordering::SeqCst);
    let cell = cell(v1::Watch::default);
    let mine = noted();
    cell.write().seen = vec![Arc::downgrade(&mine), Arc::downgrade(&mine)];
    *NOTED.lock().unwrap() = Some(mine);
    let error = migrate::<_, v2::Watch>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(error.contains("shared by 3 references"), "{error}");
    assert!(NOTED.lock().unwrap().is_none());
    assert_eq!(EARLY.load(Ordering::SeqCst), 0);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
    assert_eq!(cell.read().seen[0].strong_count(), 0);
    let (cell, done) = migrate::<_, v2::Watch>(cell, &[]).unwrap();
    assert_eq!(done.warnings, [""; 0]);
    assert!(cell.read().seen.iter().all(|it| it.upgrade().is_none()));
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
}

#[test]
fn what_only_weak_references_are_left_of_is_dropped() {
    let _turn = turn();
    DROPPED.store(0, Ordering::SeqCst);
    let cell = cell(v1::Watch::default);
    {
        let mut watch = cell.write();
        watch.gone = vec![noted(), noted()];
        watch.seen = watch.gone.iter().map(Arc::downgrade).collect();
    }
    let (cell, done) = migrate::<_, v2::Watch>(cell, &[]).unwrap();
    assert_eq!(done.warnings, [""; 0]);
    assert!(cell.read().seen.iter().all(|it| it.upgrade().is_none()));
    assert_eq!(DROPPED.load(Ordering::SeqCst), 2);
}

#[test]
fn locks_in_what_is_dropped_are_given_back() {
    let _turn = turn();
    let cell = cell(v1::Drawer::default);
    let gone = Arc::new(Mutex::new(Vec::new()));
    {
        let mut drawer = cell.write();
        drawer.kept = items().into_iter().map(Arc::new).collect();
        gone.lock().unwrap().push(Arc::clone(&drawer.kept[0]));
        drawer.gone = vec![Arc::clone(&gone)];
    }
    let error = migrate::<_, v2::Drawer>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(error.contains("somebody holds another one"), "{error}");
    assert_eq!(gone.try_lock().unwrap().len(), 1);
    drop(gone);
    let (cell, _) = migrate::<_, v2::Drawer>(cell, &[]).unwrap();
    assert_eq!(Arc::strong_count(&cell.read().kept[0]), 1);
}

/// Functions that are left behind, and what is read when they return.
mod late {
    pub mod v1 {
        #[derive(hotswap::Migrate)]
        pub struct World {
            pub gate: super::super::Gate,
            pub mark: Mark,
        }

        pub enum Mark {
            Only(u8),
        }

        #[derive(hotswap::Migrate)]
        pub struct Row {
            pub gate: super::super::Gate,
        }

        #[derive(hotswap::Migrate)]
        pub struct Table {
            pub rows: std::sync::Mutex<Vec<Row>>,
        }
    }

    pub mod v2 {
        #[derive(hotswap::Migrate)]
        pub struct World {
            #[migrate(with = super::super::through)]
            pub gate: u64,
            pub mark: Mark,
        }

        #[derive(hotswap::Migrate)]
        pub enum Mark {
            Only(u8),
        }

        #[derive(hotswap::Migrate)]
        pub struct Row {
            #[migrate(with = super::super::through)]
            pub gate: u64,
        }

        #[derive(hotswap::Migrate)]
        pub struct Table {
            pub rows: std::sync::Mutex<Vec<Row>>,
        }
    }
}

use late::v1::Mark;

/// How often a mark was looked at.
static WALKED: AtomicUsize = AtomicUsize::new(0);

impl Migrate for Mark {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Choice(Choice::of::<Self>(
                const {
                    &[Variant::new(
                        "Only",
                        const { &[Field::of::<u8>("0", 0, None)] },
                    )]
                },
            )))
        }
    }
}

impl Choose for Mark {
    fn project(&self, fields: &mut Fields<'_>) -> u32 {
        WALKED.fetch_add(1, Ordering::SeqCst);
        let Self::Only(number) = self;
        fields.add(number);
        0
    }

    fn build(_: u32, parts: &mut Parts<'_>) -> Self {
        Self::Only(parts.take())
    }
}

/// Where a function waits.
pub struct Gate(Mutex<Receiver<u64>>);

fn through(gate: &Gate) -> u64 {
    gate.0.lock().unwrap().recv().unwrap()
}

fn gate() -> (Sender<u64>, Gate) {
    let (sender, receiver) = channel();
    (sender, Gate(Mutex::new(receiver)))
}

fn impatient() -> SwapLimits {
    let mut limits = SwapLimits::default();
    limits.functions = Duration::from_millis(30);
    limits
}

/// Waits until an event that another thread brings about.
fn until(event: impl Fn() -> bool) {
    while !event() {
        thread::yield_now();
    }
}

#[test]
fn what_is_left_behind_reads_no_other_cell() {
    let (open, gate) = gate();
    let world = cell(|| late::v1::World {
        gate: self::gate().1,
        mark: Mark::Only(1),
    });
    world.write().gate = gate;
    let mark = cell(|| Mark::Only(2));
    drop(mark.read());
    let plan = Planner::new(&[]).plan(late::v1::World::schema(), late::v2::World::schema());
    let change = plan.types.iter().position(|it| it.old.ends_with("Mark"));
    let mut rehearsal = Rehearsal::new(&plan);
    // SAFETY: the rehearsal fails, so the cells stay what they are.
    unsafe {
        rehearsal.add::<_, late::v2::World>("a", world, 0).unwrap();
        let change = change.unwrap() as u32;
        rehearsal
            .add::<_, late::v2::Mark>("b", mark, change)
            .unwrap();
    }
    let error = rehearsal.run(impatient()).unwrap_err();
    assert!(error.starts_with("stuck: "), "{error}");
    *mark.write() = Mark::Only(3);
    open.send(1).unwrap();
    until(|| world.try_write().is_ok());
    assert_eq!(WALKED.load(Ordering::SeqCst), 1, "that of the first cell");
}

#[test]
fn what_is_left_behind_in_a_lock_has_the_cell_alone() {
    let (open, gate) = gate();
    let cell = cell(|| late::v1::Table {
        rows: Mutex::new(Vec::new()),
    });
    let rows = late::v1::Row { gate };
    cell.read().rows.lock().unwrap().push(rows);
    let outcome = migrate_within::<_, late::v2::Table>(cell, &[], impatient());
    let error = outcome.map(|_| ()).unwrap_err();
    assert!(error.starts_with("stuck: "), "{error}");
    assert!(matches!(cell.try_read(), Err(Unavailable::Busy)));
    open.send(1).unwrap();
    until(|| cell.try_write().is_ok());
    assert_eq!(cell.read().rows.lock().unwrap().len(), 1);
}
