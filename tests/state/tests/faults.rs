//! Faults at every step: the old value is as it was, nothing is leaked, nothing dropped twice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use hotswap::Live;
use hotswap_state::faults::{BYTES, Counted, Counting, FUSE, NEXT, alive, burns, may_panic};
use hotswap_state::{cell, dispose, migrate, migrate_within};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test without a harness, since all count what the process allocates.
fn main() {
    hotswap_state::faults::begin();
    faults_at_every_step_leave_nothing();
    what_succeeds_drops_and_frees_all_that_is_left_over();
    a_reference_from_outside_fails_after_all_was_assembled();
    parts_of_several_threads_leave_nothing();
}

fn fresh() -> Counted {
    may_panic();
    Counted::new()
}

/// Reads the old value, and fails in one of two ways.
fn again(old: &Counted) -> Result<Counted, String> {
    if burns() {
        if FUSE.load(Ordering::SeqCst) % 2 == 0 {
            panic!("the fuse");
        }
        return Err(format!("{old:?} is no good"));
    }
    Ok(Counted::new())
}

mod v1 {
    use super::*;

    #[derive(hotswap::Migrate, Debug)]
    pub struct World {
        pub items: Vec<Item>,
        pub removed: Vec<Counted>,
        pub map: HashMap<Key, Item>,
        pub set: HashSet<Key>,
        pub tree: BTreeMap<Key, Counted>,
        pub shared: Vec<Arc<Item>>,
        pub events: VecDeque<Event>,
        pub array: [Option<Box<Item>>; 3],
        pub lock: Mutex<Result<Item, u8>>,
        pub hooked: Counted,
    }

    #[derive(hotswap::Migrate, Debug)]
    pub struct Item {
        pub kept: Counted,
        pub removed: Counted,
        pub hooked: Counted,
    }

    #[derive(hotswap::Migrate, Debug)]
    pub enum Event {
        Nothing,
        One(Item),
        Two { removed: Counted, kept: Counted },
    }

    #[derive(hotswap::Migrate, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Key {
        pub number: u32,
    }
}

mod v2 {
    use super::*;

    #[derive(hotswap::Migrate, Debug)]
    pub struct World {
        #[migrate(default = fresh())]
        pub first: Counted,
        pub lock: Mutex<Result<Item, u8>>,
        pub items: Vec<Item>,
        pub map: HashMap<Key, Item>,
        pub array: [Option<Box<Item>>; 3],
        pub set: HashSet<Key>,
        pub tree: BTreeMap<Key, Counted>,
        pub shared: Vec<Arc<Item>>,
        pub events: VecDeque<Event>,
        #[migrate(with = again)]
        pub hooked: Again,
        #[migrate(default = fresh())]
        pub last: Counted,
    }

    /// Another type than what it is made of.
    #[derive(hotswap::Migrate, Debug)]
    pub struct Again(pub Counted);

    fn again(old: &Counted) -> Result<Again, String> {
        super::again(old).map(Again)
    }

    #[derive(hotswap::Migrate, Debug)]
    pub struct Item {
        #[migrate(default = fresh())]
        pub fresh: Counted,
        pub kept: Counted,
        #[migrate(with = again)]
        pub hooked: Again,
    }

    #[derive(hotswap::Migrate, Debug)]
    pub enum Event {
        Two {
            kept: Counted,
            #[migrate(default = fresh())]
            fresh: Counted,
        },
        One(Item, #[migrate(default = fresh())] Counted),
        Nothing,
    }

    #[derive(hotswap::Migrate, Debug)]
    pub struct Key {
        #[migrate(default = fresh())]
        pub fresh: Counted,
        pub number: u32,
    }

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            may_panic();
            self.number.hash(state);
        }
    }

    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }

    impl Eq for Key {}

    impl PartialOrd for Key {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Key {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            may_panic();
            self.number.cmp(&other.number)
        }
    }
}

fn item() -> v1::Item {
    v1::Item {
        kept: Counted::new(),
        removed: Counted::new(),
        hooked: Counted::new(),
    }
}

fn world() -> v1::World {
    let key = |number| v1::Key { number };
    let shared = Arc::new(item());
    v1::World {
        items: (0..3).map(|_| item()).collect(),
        removed: vec![Counted::new(), Counted::new()],
        map: (0..3).map(|number| (key(number), item())).collect(),
        set: (0..3).map(key).collect(),
        tree: (0..3).map(|number| (key(number), Counted::new())).collect(),
        shared: vec![shared.clone(), Arc::new(item()), shared],
        events: VecDeque::from([
            v1::Event::Nothing,
            v1::Event::One(item()),
            v1::Event::Two {
                removed: Counted::new(),
                kept: Counted::new(),
            },
        ]),
        array: [Some(Box::new(item())), None, Some(Box::new(item()))],
        lock: Mutex::new(Ok(item())),
        hooked: Counted::new(),
    }
}

/// The bytes of the fields that have no padding.
fn bytes(world: &v1::World) -> Vec<u8> {
    fn of<T>(field: &T) -> &[u8] {
        // SAFETY: the field has no padding: it consists of addresses, lengths and numbers.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(field).cast(), size_of::<T>()) }
    }
    let v1::World {
        items,
        removed,
        map,
        set,
        tree: _,
        shared,
        events,
        array,
        lock: _,
        hooked,
    } = world;
    [
        of(items),
        of(removed),
        of(map),
        of(set),
        of(shared),
        of(events),
        of(array),
        of(hooked),
    ]
    .concat()
}

/// Migrates with a fuse, and checks what is left if it fails. Gives whether it did.
fn fails_cleanly(cell: &'static Live<v1::World>, fuse: isize) -> bool {
    let before = (format!("{:?}", cell.read()), bytes(&cell.read()), alive());
    let allocated = BYTES.load(Ordering::SeqCst);
    FUSE.store(fuse, Ordering::SeqCst);
    let outcome = migrate::<_, v2::World>(cell, &[]);
    FUSE.store(-1, Ordering::SeqCst);
    let Err(error) = outcome else {
        return false;
    };
    let fault = ["the fuse", "is no good"]
        .iter()
        .any(|text| error.contains(text));
    assert!(
        fault && error.starts_with("failed: cell `cell`, field `"),
        "{error}"
    );
    drop(error);
    let left = BYTES.load(Ordering::SeqCst) - allocated;
    assert_eq!(left, 0, "bytes are left after fault {fuse}");
    let after = (format!("{:?}", cell.read()), bytes(&cell.read()), alive());
    assert!(after == before, "fault {fuse}: {after:?} is not {before:?}");
    true
}

fn faults_at_every_step_leave_nothing() {
    let cell = cell(world);
    drop(cell.read());
    // What the runtime keeps for later is there after the first time.
    FUSE.store(0, Ordering::SeqCst);
    assert!(migrate::<_, v2::World>(cell, &[]).is_err());
    let mut fuse = 0;
    while fails_cleanly(cell, fuse) {
        fuse += 1;
    }
    assert!(fuse > 40, "only {fuse} of the user's functions were called");
    // SAFETY: the last migration has succeeded.
    unsafe { dispose(&*std::ptr::from_ref(cell).cast::<Live<v2::World>>()) };
    assert_eq!(alive(), [0; 0], "all were dropped");
}

fn what_succeeds_drops_and_frees_all_that_is_left_over() {
    NEXT.store(0, Ordering::SeqCst);
    let run = || {
        let before = BYTES.load(Ordering::SeqCst);
        let cell = cell(world);
        let kept: Vec<String> = cell
            .read()
            .items
            .iter()
            .map(|item| format!("{:?}", item.kept))
            .collect();
        let (cell, done) = migrate::<_, v2::World>(cell, &[]).unwrap();
        assert_eq!(done.warnings, [""; 0]);
        let new = cell.read();
        let found: Vec<String> = new
            .items
            .iter()
            .map(|item| format!("{:?}", item.kept))
            .collect();
        assert_eq!(found, kept);
        assert!(Arc::ptr_eq(&new.shared[0], &new.shared[2]));
        // Per item: fresh, kept, hooked. Of the old ones only what was kept is alive.
        let expected = format!("{new:?}").matches("value").count() - 3;
        assert_eq!(alive().len(), expected, "the shared item is printed twice");
        drop((new, kept, found, done));
        // SAFETY: nobody uses it again.
        unsafe { dispose(cell) };
        assert_eq!(alive(), [0; 0]);
        BYTES.load(Ordering::SeqCst) - before
    };
    run();
    assert_eq!(run(), 0, "bytes are left");
}

fn a_reference_from_outside_fails_after_all_was_assembled() {
    let cell = cell(world);
    let outside = cell.read().shared[1].clone();
    let before = (format!("{:?}", cell.read()), alive());
    for round in 0..2 {
        let allocated = BYTES.load(Ordering::SeqCst);
        let error = migrate::<_, v2::World>(cell, &[]).unwrap_err();
        assert!(error.contains("somebody holds another one"), "{error}");
        drop(error);
        let left = BYTES.load(Ordering::SeqCst) - allocated;
        assert!(round == 0 || left == 0, "{left} bytes are left");
        assert_eq!((format!("{:?}", cell.read()), alive()), before);
    }
    drop(outside);
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    assert_eq!(alive(), [0; 0]);
}

/// A large value, so that not many elements are worth several threads.
#[derive(hotswap::Migrate, Debug, Clone)]
struct Large([u64; 512]);

mod part1 {
    #[derive(hotswap::Migrate, Debug)]
    pub struct Item {
        pub kept: super::Counted,
        pub large: super::Large,
        pub removed: super::Counted,
    }
}

mod part2 {
    #[derive(hotswap::Migrate, Debug)]
    pub struct Item {
        #[migrate(default = super::fresh())]
        pub fresh: super::Counted,
        pub kept: super::Counted,
        pub large: super::Large,
    }
}

fn parts_of_several_threads_leave_nothing() {
    const ITEMS: usize = 600;
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(|| -> Vec<part1::Item> {
        let item = |_| part1::Item {
            kept: Counted::new(),
            large: Large([7; 512]),
            removed: Counted::new(),
        };
        (0..ITEMS).map(item).collect()
    });
    drop(cell.read());
    let mut limits = hotswap::SwapLimits::default();
    limits.threads = NonZero::new(4);
    let before = (format!("{:?}", cell.read()), alive());
    for fuse in [0, 0, 1, 63, 64, 150, 599] {
        NEXT.store(2 * ITEMS, Ordering::SeqCst);
        let allocated = BYTES.load(Ordering::SeqCst);
        FUSE.store(fuse, Ordering::SeqCst);
        let error = migrate_within::<_, Vec<part2::Item>>(cell, &[], limits).unwrap_err();
        FUSE.store(-1, Ordering::SeqCst);
        assert!(error.contains("the fuse"), "{error}");
        drop(error);
        let left = BYTES.load(Ordering::SeqCst) - allocated;
        assert_eq!(left, 0, "bytes are left after fault {fuse}");
        assert_eq!((format!("{:?}", cell.read()), alive()), before);
    }
    NEXT.store(2 * ITEMS, Ordering::SeqCst);
    let (cell, done) = migrate_within::<_, Vec<part2::Item>>(cell, &[], limits).unwrap();
    assert_eq!(done.values, ITEMS as u64 + 1);
    assert_eq!(alive().len(), 2 * ITEMS, "fresh and kept");
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    assert_eq!(alive(), [0; 0]);
}
