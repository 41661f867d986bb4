//! Containers that are not in the standard library: one of the program's own, and three of other crates
//! in structs around them.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotswap::{Container, Live, MapContainer, Migrate};
use hotswap_state::faults::{BYTES, Counted, Counting, FUSE, NEXT, alive, burns, may_panic};
use hotswap_state::{cell, dispose, migrate};
use indexmap::IndexMap;
use indexmap::map::MutableKeys as _;
use slab::Slab;
use smallvec::SmallVec;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Which of its functions misbehaves, by number; 0 for none.
static FAULT: AtomicUsize = AtomicUsize::new(0);

fn is_fault(number: usize) -> bool {
    may_panic();
    FAULT.load(Ordering::SeqCst) == number
}

/// Elements under numbers that stay, and numbers that are free, in the order in which they are given out.
#[derive(Migrate, Debug)]
#[migrate(container(T))]
struct Arena<T> {
    slots: Vec<Option<Box<T>>>,
    free: Vec<usize>,
}

impl<T> Container for Arena<T> {
    type Element = T;
    type Of<E> = Arena<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        assert!(!is_fault(1), "the elements");
        let hidden = usize::from(is_fault(2));
        let slots = self.slots.iter_mut().zip(0..).skip(hidden);
        slots.filter_map(|(slot, number)| Some((number, &mut **slot.as_mut()?)))
    }

    fn rest(&self) -> Vec<u64> {
        let free = self.free.iter().map(|it| *it as u64);
        [self.slots.len() as u64].into_iter().chain(free).collect()
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, rest: &[u64]) -> Self {
        let mut slots: Vec<Option<Box<T>>> = (0..rest[0]).map(|_| None).collect();
        for (number, element) in elements {
            // Dropped, and forgotten: neither may do harm.
            if is_fault(3) {
                continue;
            }
            if is_fault(4) {
                std::mem::forget(element);
                continue;
            }
            slots[usize::try_from(number).unwrap()] = Some(Box::new(element));
            assert!(!is_fault(5), "the building");
        }
        let free = rest[1..].iter().map(|it| *it as usize).collect();
        Self { slots, free }
    }
}

impl<T> Arena<T> {
    fn new(elements: impl IntoIterator<Item = T>) -> Self {
        let slots = elements.into_iter().map(|it| Some(Box::new(it)));
        Self {
            slots: slots.collect(),
            free: Vec::new(),
        }
    }

    fn remove(&mut self, number: usize) {
        self.slots[number] = None;
        self.free.push(number);
    }
}

/// `slab::Slab`.
#[derive(Migrate, Debug)]
#[migrate(container(T))]
struct Slots<T>(Slab<T>);

impl<T> Container for Slots<T> {
    type Element = T;
    type Of<E> = Slots<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0
            .iter_mut()
            .map(|(key, element)| (key as u64, element))
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, _rest: &[u64]) -> Self {
        let elements = elements.map(|(key, element)| (usize::try_from(key).unwrap(), element));
        Self(elements.collect())
    }
}

/// `smallvec::SmallVec`.
#[derive(Migrate, Debug)]
#[migrate(container(T))]
struct Few<T, const N: usize>(SmallVec<[T; N]>);

impl<T, const N: usize> Container for Few<T, N> {
    type Element = T;
    type Of<E> = Few<E, N>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0.iter_mut().map(|element| (0, element))
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, _rest: &[u64]) -> Self {
        Self(elements.map(|(_, element)| element).collect())
    }
}

/// Two elements in place, of which the first is where the container is.
#[derive(Migrate, Debug)]
#[migrate(container(T))]
struct Pair<T>([T; 2]);

impl<T> Container for Pair<T> {
    type Element = T;
    type Of<E> = Pair<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0
            .iter_mut()
            .zip(0..)
            .map(|(element, number)| (number, element))
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, _rest: &[u64]) -> Self {
        let elements: Vec<T> = elements.map(|(_, element)| element).collect();
        Self(elements.try_into().unwrap_or_else(|_| panic!("two")))
    }
}

/// `indexmap::IndexMap`.
#[derive(Migrate, Debug)]
#[migrate(container(K, V))]
struct Ordered<K, V>(IndexMap<K, V>);

impl<K: Hash + Eq, V> MapContainer for Ordered<K, V> {
    type Key = K;
    type Value = V;
    type Of<A: Hash + Eq, B> = Ordered<A, B>;

    fn entries(&mut self) -> impl Iterator<Item = (u64, (&mut K, &mut V))> {
        self.0.iter_mut2().map(|entry| (0, entry))
    }

    fn build(entries: impl ExactSizeIterator<Item = (u64, (K, V))>, _rest: &[u64]) -> Self {
        Self(entries.map(|(_, entry)| entry).collect())
    }
}

mod v1 {
    use super::*;

    #[derive(Migrate, Debug)]
    pub struct World {
        pub arena: Arena<Item>,
        pub slots: Slots<Item>,
        pub few: Few<Item, 2>,
        pub many: Few<Item, 2>,
        pub ordered: Ordered<Key, Arena<Item>>,
        pub same: Slots<Counted>,
        pub inline: Pair<Pair<Item>>,
        pub nested: Vec<Option<Slots<Item>>>,
    }

    #[derive(Migrate, Debug)]
    pub struct Item {
        pub removed: Counted,
        pub kept: Counted,
        pub number: u8,
    }

    #[derive(Migrate, Debug, PartialEq, Eq, Hash)]
    pub struct Key {
        pub number: u32,
        pub other: u8,
    }
}

mod v2 {
    use super::*;

    #[derive(Migrate, Debug)]
    pub struct World {
        pub nested: Vec<Option<Slots<Item>>>,
        pub arena: Arena<Item>,
        pub slots: Slots<Item>,
        pub few: Few<Item, 2>,
        pub many: Few<Item, 2>,
        pub ordered: Ordered<Key, Arena<Item>>,
        pub same: Slots<Counted>,
        pub inline: Pair<Pair<Item>>,
    }

    #[derive(Migrate, Debug)]
    pub struct Item {
        pub number: u8,
        #[migrate(default = fresh())]
        pub fresh: Counted,
        pub kept: Counted,
    }

    #[derive(Migrate, Debug, PartialEq, Eq)]
    pub struct Key {
        pub number: u32,
    }

    impl Hash for Key {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            may_panic();
            self.number.hash(state);
        }
    }
}

fn fresh() -> Counted {
    assert!(!burns(), "the fuse");
    Counted::new()
}

fn item(number: u8) -> v1::Item {
    v1::Item {
        removed: Counted::new(),
        kept: Counted::new(),
        number,
    }
}

fn world() -> v1::World {
    let key = |number| v1::Key { number, other: 0 };
    let mut arena = Arena::new((0..5).map(item));
    arena.remove(3);
    arena.remove(1);
    let mut slots: Slab<_> = (0..4).map(|key| (key, item(10 + key as u8))).collect();
    slots.remove(2);
    let entries = [7, 3, 5].map(|number| (key(number), Arena::new([item(number as u8)])));
    v1::World {
        arena,
        slots: Slots(slots),
        few: Few((20..22).map(item).collect()),
        many: Few((30..35).map(item).collect()),
        ordered: Ordered(entries.into_iter().collect()),
        same: Slots([(4, Counted::new())].into_iter().collect()),
        inline: Pair([50, 60].map(|number| Pair([item(number), item(number + 1)]))),
        nested: vec![None, Some(Slots([(9, item(40))].into_iter().collect()))],
    }
}

fn number(item: &v2::Item) -> u8 {
    item.number
}

/// One test without a harness, since all count what the process allocates.
fn main() {
    hotswap_state::faults::begin();
    elements_change_in_their_places();
    faults_at_every_step_leave_nothing();
    containers_that_lose_elements_are_refused();
    what_nobody_may_lend_is_refused();
    keys_that_become_equal_are_refused();
}

fn elements_change_in_their_places() {
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(world);
    let same = format!("{:?}", cell.read().same);
    let (cell, done) = migrate::<_, v2::World>(cell, &[]).unwrap();
    assert_eq!(done.warnings, [""; 0]);
    {
        let new = cell.read();
        let arena: Vec<Option<u8>> = new
            .arena
            .slots
            .iter()
            .map(|it| it.as_deref().map(number))
            .collect();
        assert_eq!(arena, [Some(0), None, Some(2), None, Some(4)]);
        assert_eq!(new.arena.free, [3, 1]);
        let slots: BTreeMap<usize, u8> = new
            .slots
            .0
            .iter()
            .map(|(key, it)| (key, number(it)))
            .collect();
        assert_eq!(slots, BTreeMap::from([(0, 10), (1, 11), (3, 13)]));
        let few: Vec<u8> = new.few.0.iter().chain(&new.many.0).map(number).collect();
        assert_eq!(few, [20, 21, 30, 31, 32, 33, 34]);
        assert!(!new.few.0.spilled() && new.many.0.spilled());
        let ordered: Vec<u32> = new.ordered.0.keys().map(|key| key.number).collect();
        assert_eq!(ordered, [7, 3, 5]);
        let found = &new.ordered.0[&v2::Key { number: 3 }];
        assert_eq!(found.slots[0].as_deref().map(number), Some(3));
        assert_eq!(format!("{:?}", new.same), same);
        let inline = new.inline.0.iter().flat_map(|pair| &pair.0);
        assert_eq!(inline.map(number).collect::<Vec<_>>(), [50, 51, 60, 61]);
        assert_eq!(new.nested[1].as_ref().unwrap().0[9].number, 40);
    }
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    assert_eq!(alive(), [0; 0]);
}

/// Migrates, and checks that a failure leaves nothing.
fn fails_cleanly(cell: &'static Live<v1::World>, what: &str) -> Option<String> {
    let before = (format!("{:?}", cell.read()), alive());
    let allocated = BYTES.load(Ordering::SeqCst);
    let outcome = migrate::<_, v2::World>(cell, &[]);
    FUSE.store(-1, Ordering::SeqCst);
    let error = outcome.err()?;
    let text = error.clone();
    drop(error);
    let left = BYTES.load(Ordering::SeqCst) - allocated - text.capacity() as isize;
    assert_eq!(left, 0, "{what}: bytes are left: {text}");
    assert_eq!((format!("{:?}", cell.read()), alive()), before, "{what}");
    Some(text)
}

fn faults_at_every_step_leave_nothing() {
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(world);
    drop(cell.read());
    FUSE.store(0, Ordering::SeqCst);
    migrate::<_, v2::World>(cell, &[]).unwrap_err();
    let mut fuse = 0;
    loop {
        FUSE.store(fuse, Ordering::SeqCst);
        let Some(error) = fails_cleanly(cell, &format!("fuse {fuse}")) else {
            break;
        };
        assert!(error.contains("the fuse"), "{error}");
        fuse += 1;
    }
    assert!(
        fuse > 40,
        "only {fuse} of the program's functions were called"
    );
    // SAFETY: the last migration has succeeded.
    unsafe { dispose(&*std::ptr::from_ref(cell).cast::<Live<v2::World>>()) };
    assert_eq!(alive(), [0; 0]);
}

fn containers_that_lose_elements_are_refused() {
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(world);
    drop(cell.read());
    for (fault, expected) in [
        (1, "panicked: the elements"),
        (
            3,
            "field `arena`, type `own_containers::Arena<own_containers::v2::Item>`: it was built of 3 elements, and has 0",
        ),
        (4, "it was built of 3 elements, and has 0"),
        (5, "panicked: the building"),
    ] {
        FAULT.store(fault, Ordering::SeqCst);
        let error = fails_cleanly(cell, &format!("fault {fault}"));
        FAULT.store(0, Ordering::SeqCst);
        let error = error.unwrap_or_else(|| panic!("fault {fault} does no harm"));
        assert!(error.contains(expected), "{error}");
    }
    // What is hidden is lost, and dropped by nobody.
    FAULT.store(2, Ordering::SeqCst);
    let (cell, _) = migrate::<_, v2::World>(cell, &[]).unwrap();
    FAULT.store(0, Ordering::SeqCst);
    assert!(cell.read().arena.slots[0].is_none());
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    // The arena's first, and the only one of each arena in the map.
    assert_eq!(alive().len(), 2 * (1 + 3));
    alive().into_iter().for_each(hotswap_state::faults::forget);
}

fn what_nobody_may_lend_is_refused() {
    let cell = cell(|| vec![Arc::new(Arena::new([item(1)]))]);
    drop(cell.read());
    let error = migrate::<_, Vec<Arc<Arena<v2::Item>>>>(cell, &[])
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.contains("can't be changed behind an `Rc` or `Arc`"),
        "{error}"
    );
    assert_eq!(cell.read()[0].slots.len(), 1);
}

fn keys_that_become_equal_are_refused() {
    let cell = cell(|| {
        let keys = [0, 1].map(|other| v1::Key { number: 2, other });
        Ordered(keys.into_iter().map(|key| (key, 0_u8)).collect())
    });
    drop(cell.read());
    let error = migrate::<_, Ordered<v2::Key, u8>>(cell, &[])
        .map(|_| ())
        .unwrap_err();
    assert!(error.contains("built of 2 elements, and has 1"), "{error}");
    assert_eq!(cell.read().0.len(), 2);
}
