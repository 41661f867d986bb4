//! Elements of a changed type inside every container of the standard library.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, RwLock, Weak};

use hotswap_state::{changed, migrate};

mod v1 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct Item {
        pub id: u32,
        pub text: String,
    }
}

mod v2 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct Item {
        #[migrate(default = "new".to_owned())]
        pub extra: String,
        pub id: u32,
        pub text: String,
    }
}

fn item(id: u32) -> v1::Item {
    let text = format!("item {id}");
    v1::Item { id, text }
}

fn new_item(id: u32) -> v2::Item {
    let v1::Item { id, text } = item(id);
    let extra = "new".to_owned();
    v2::Item { extra, id, text }
}

/// Compares what becomes of a container of old items with one of new items.
macro_rules! check {
    ($($container:ty, $other:ty: $make:expr;)+) => {$({
        fn old() -> $container {
            let item = item;
            $make(item)
        }
        fn new() -> $other {
            let item = new_item;
            $make(item)
        }
        let found: $other = changed(old(), &[]);
        assert_eq!(format!("{found:?}"), format!("{:?}", new()), stringify!($container));
        let back: $container = changed(found, &[]);
        assert_eq!(format!("{back:?}"), format!("{:?}", old()), stringify!($container));
    })+};
}

type Item1 = v1::Item;
type Item2 = v2::Item;

#[test]
fn containers_in_a_row() {
    check! {
        Vec<Item1>, Vec<Item2>: |item| (0..9).map(item).collect();
        Vec<Item1>, Vec<Item2>: |item| (0..0).map(item).collect();
        VecDeque<Item1>, VecDeque<Item2>: |item: fn(u32) -> _| {
            let mut deque: VecDeque<_> = (0..5).map(item).collect();
            deque.rotate_left(2);
            deque.push_front(item(9));
            deque
        };
        [Item1; 3], [Item2; 3]: |item: fn(u32) -> _| [item(0), item(1), item(2)];
        (u8, Item1, u64), (u8, Item2, u64): |item: fn(u32) -> _| (1, item(0), 2);
        Vec<Vec<Option<Item1>>>, Vec<Vec<Option<Item2>>>:
            |item: fn(u32) -> _| vec![vec![Some(item(0)), None], vec![], vec![Some(item(1))]];
    }
}

#[test]
fn one_inside() {
    check! {
        Option<Item1>, Option<Item2>: |item: fn(u32) -> _| Some(item(1));
        Option<Item1>, Option<Item2>: |item: fn(u32) -> _| Some(item(1)).filter(|_| false);
        Box<Item1>, Box<Item2>: |item: fn(u32) -> _| Box::new(item(1));
        Option<Box<Item1>>, Option<Box<Item2>>: |item: fn(u32) -> _| Some(Box::new(item(1)));
        RefCell<Item1>, RefCell<Item2>: |item: fn(u32) -> _| RefCell::new(item(1));
        Mutex<Item1>, Mutex<Item2>: |item: fn(u32) -> _| Mutex::new(item(1));
        RwLock<Item1>, RwLock<Item2>: |item: fn(u32) -> _| RwLock::new(item(1));
    }
}

#[test]
fn a_cell() {
    let new: Cell<Item2> = changed(Cell::new(item(1)), &[]);
    assert_eq!(new.into_inner(), new_item(1));
}

#[test]
fn results() {
    #[derive(hotswap::Migrate, Debug)]
    struct Holder<T, E>(Result<T, E>);
    impl<T, E: Default> Default for Holder<T, E> {
        fn default() -> Self {
            Self(Err(E::default()))
        }
    }
    check! {
        Holder<Item1, u8>, Holder<Item2, u8>: |item: fn(u32) -> _| Holder(Ok(item(1)));
        Holder<Item1, u8>, Holder<Item2, u8>: |_| Holder(Err(5));
        Holder<u8, Item1>, Holder<u8, Item2>: |item: fn(u32) -> _| Holder(Err(item(1)));
    }
}

#[test]
fn maps_and_sets() {
    check! {
        BTreeMap<u32, Item1>, BTreeMap<u32, Item2>:
            |item: fn(u32) -> _| (0..50).map(|id| (id, item(id))).collect();
        BTreeMap<Item1, String>, BTreeMap<Item2, String>:
            |item: fn(u32) -> _| (0..50).map(|id| (item(id), id.to_string())).collect();
        BTreeSet<Item1>, BTreeSet<Item2>: |item| (0..50).map(item).collect();
    }
    let old: HashMap<u32, Item1> = (0..50).map(|id| (id, item(id))).collect();
    let found: HashMap<u32, Item2> = changed(old, &[]);
    assert_eq!(found, (0..50).map(|id| (id, new_item(id))).collect());
    let old: HashMap<Item1, Item1> = (0..50).map(|id| (item(id), item(id + 1))).collect();
    let found: HashMap<Item2, Item2> = changed(old, &[]);
    let expected = (0..50).map(|id| (new_item(id), new_item(id + 1)));
    assert_eq!(found, expected.collect());
    let old: HashSet<Item1> = (0..50).map(item).collect();
    let found: HashSet<Item2> = changed(old, &[]);
    assert_eq!(found, (0..50).map(new_item).collect());
}

#[test]
fn a_poisoned_lock_stays_poisoned() {
    let lock = Mutex::new(item(1));
    std::thread::scope(|scope| {
        let poisons = scope.spawn(|| {
            let _guard = lock.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(poisons.join().is_err());
    });
    let found: Mutex<Item2> = changed(lock, &[]);
    let poisoned = found.into_inner().unwrap_err();
    assert_eq!(poisoned.into_inner(), new_item(1));
}

#[test]
fn what_is_locked_is_refused() {
    let cell = hotswap_state::cell(|| RwLock::new(item(1)));
    std::mem::forget(cell.read().write());
    let error = migrate::<_, RwLock<Item2>>(cell, &[]).unwrap_err();
    assert!(error.ends_with("the `RwLock` is locked"), "{error}");
}

mod sharing {
    use std::sync::{Arc, RwLock, Weak};

    use super::{v1::Item as Item1, v2::Item as Item2};

    #[derive(hotswap::Migrate, Default, Debug)]
    pub struct Shared<T: Default> {
        pub strong: Vec<Arc<T>>,
        pub weak: Vec<Weak<T>>,
    }

    pub type Old = Shared<Item1>;
    pub type New = Shared<Item2>;

    /// A node that refers to itself through its parent's children.
    pub mod v1 {
        use super::{Arc, RwLock, Weak};

        #[derive(hotswap::Migrate, Default, Debug)]
        pub struct Node {
            pub id: u32,
            pub parent: Option<Weak<Node>>,
            pub children: RwLock<Vec<Arc<Node>>>,
        }
    }

    pub mod v2 {
        use super::{Arc, RwLock, Weak};

        #[derive(hotswap::Migrate, Default, Debug)]
        pub struct Node {
            pub children: RwLock<Vec<Arc<Node>>>,
            pub name: String,
            pub parent: Option<Weak<Node>>,
            pub id: u32,
        }
    }
}

#[test]
fn what_is_shared_stays_shared() {
    let one = Arc::new(item(1));
    let other = Arc::new(item(2));
    let gone = Arc::downgrade(&Arc::new(item(3)));
    let old = sharing::Old {
        weak: vec![Arc::downgrade(&one), gone, Arc::downgrade(&other)],
        strong: vec![one.clone(), other, one],
    };
    let new: sharing::New = changed(old, &[]);
    assert_eq!(*new.strong[0], new_item(1));
    assert_eq!(*new.strong[1], new_item(2));
    assert!(Arc::ptr_eq(&new.strong[0], &new.strong[2]));
    assert!(Weak::ptr_eq(&new.weak[0], &Arc::downgrade(&new.strong[0])));
    assert!(new.weak[1].upgrade().is_none());
    assert_eq!(Arc::strong_count(&new.strong[0]), 2);
    assert_eq!(Arc::weak_count(&new.strong[0]), 1);
    assert_eq!(Arc::strong_count(&new.strong[1]), 1);
}

#[test]
fn circles_stay_circles() {
    let node = |id, parent| sharing::v1::Node {
        id,
        parent,
        ..Default::default()
    };
    let root = Arc::new_cyclic(|root| {
        let children = (1..4).map(|id| Arc::new(node(id, Some(root.clone()))));
        sharing::v1::Node {
            children: RwLock::new(children.collect()),
            ..node(0, None)
        }
    });
    let new: Vec<Arc<sharing::v2::Node>> = changed(vec![root], &[]);
    let children = new[0].children.read().unwrap();
    let ids: Vec<u32> = children.iter().map(|child| child.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    for child in &*children {
        let parent = child.parent.as_ref().unwrap().upgrade().unwrap();
        assert!(Arc::ptr_eq(&parent, &new[0]));
    }
    assert_eq!(Arc::weak_count(&new[0]), 3);
}

#[test]
fn a_reference_from_outside_is_refused() {
    let cell = hotswap_state::cell(sharing::Old::default);
    let outside = Arc::new(item(1));
    cell.write().strong.push(outside.clone());
    let error = migrate::<_, sharing::New>(cell, &[]).unwrap_err();
    assert!(
        error.contains("2 references, of which 1 were found"),
        "{error}"
    );
    assert_eq!(*outside, item(1));
    assert_eq!(Arc::strong_count(&outside), 2);
    drop(outside);
    let (cell, done) = migrate::<_, sharing::New>(cell, &[]).unwrap();
    assert_eq!(*cell.read().strong[0], new_item(1));
    assert_eq!(
        done.values, 5,
        "the struct, two vectors, the item and its reference"
    );
}

mod list {
    pub mod v1 {
        #[derive(hotswap::Migrate, Default)]
        pub struct Node {
            pub id: u32,
            pub next: Option<Box<Node>>,
        }
    }
    pub mod v2 {
        #[derive(hotswap::Migrate, Default)]
        pub struct Node {
            pub next: Option<Box<Node>>,
            pub id: u32,
            pub name: String,
        }
    }
}

fn long_list(len: u32) -> list::v1::Node {
    (0..len).fold(list::v1::Node::default(), |next, id| list::v1::Node {
        id,
        next: Some(Box::new(next)),
    })
}

#[test]
fn nesting_is_walked_as_deep_as_the_stack_allows_and_refused_beyond() {
    let mut new: list::v2::Node = changed(long_list(5_000), &[]);
    let mut ids = Vec::new();
    while let Some(next) = new.next.take() {
        ids.push(new.id);
        new = *next;
    }
    assert_eq!(ids, (0..5_000).rev().collect::<Vec<_>>());
    let cell = hotswap_state::cell(|| long_list(0));
    *cell.write() = long_list(3_000_000);
    let error = migrate::<_, list::v2::Node>(cell, &[]).unwrap_err();
    assert!(error.contains("levels deep, too deep to follow"), "{error}");
    assert!(error.len() < 500, "{error}");
}

#[test]
fn elements_that_become_equal_are_refused() {
    mod old {
        #[derive(hotswap::Migrate, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Clone)]
        pub struct Key(pub u32, pub u8);
    }
    mod new {
        #[derive(hotswap::Migrate, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Clone)]
        pub struct Key(pub u32);
    }
    let keys = || [old::Key(1, 1), old::Key(1, 2), old::Key(2, 0)];
    let set = hotswap_state::cell(BTreeSet::new);
    set.write().extend(keys());
    let error = migrate::<_, BTreeSet<new::Key>>(set, &[]).unwrap_err();
    assert!(error.contains("two elements have become equal"), "{error}");
    assert!(set.read().iter().cloned().eq(keys()));
}
