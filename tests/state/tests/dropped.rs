//! Counted references in what is dropped: they are counted, and lead nobody to an old value.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use hotswap::{Live, Migrate};
use hotswap_state::faults::{BYTES, Counted, Counting, NEXT, alive};
use hotswap_state::{cell, dispose, migrate};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

mod v1 {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct World {
        pub items: Vec<Arc<Item>>,
        pub gone: Vec<Arc<Item>>,
        pub places: BTreeMap<u8, Place>,
        pub node: Option<Arc<Node>>,
        pub events: [Event; 2],
        pub seen: Option<Seen>,
    }

    type Place = (Option<Weak<Item>>, Mutex<Option<Box<Arc<Item>>>>);

    #[derive(Migrate)]
    pub struct Item {
        pub value: Counted,
    }

    /// What only dropped fields lead to.
    #[derive(Migrate)]
    pub struct Node {
        pub item: Arc<Item>,
        pub next: Option<Arc<Node>>,
    }

    #[derive(Migrate, Default)]
    pub enum Event {
        #[default]
        Nothing,
        Of {
            gone: Arc<Item>,
            number: u8,
        },
    }

    /// It sees its fields before they are dropped.
    #[derive(Migrate)]
    pub struct Seen(pub Arc<Item>);

    impl Drop for Seen {
        fn drop(&mut self) {
            assert_eq!(self.0.value.text(), "nobody sees this");
        }
    }
}

mod v2 {
    use super::*;

    #[derive(Migrate, Default)]
    pub struct World {
        pub events: [Event; 2],
        pub items: Vec<Arc<Item>>,
    }

    #[derive(Migrate)]
    pub struct Item {
        #[migrate(default = 7)]
        pub number: u32,
        pub value: Counted,
    }

    #[derive(Migrate, Default)]
    pub enum Event {
        #[default]
        Nothing,
        Of {
            number: u8,
        },
    }
}

fn item() -> Arc<v1::Item> {
    Arc::new(v1::Item {
        value: Counted::new(),
    })
}

/// Two items that are kept, with references to them from all that is dropped.
fn world() -> v1::World {
    let (one, other) = (item(), item());
    let node = |item: &Arc<v1::Item>, next| {
        Some(Arc::new(v1::Node {
            item: Arc::clone(item),
            next,
        }))
    };
    let last = node(&other, None);
    let boxed = Mutex::new(Some(Box::new(Arc::clone(&other))));
    v1::World {
        gone: vec![Arc::clone(&one), Arc::clone(&one), item()],
        places: BTreeMap::from([(1, (Some(Arc::downgrade(&one)), boxed))]),
        node: node(&one, last),
        events: [
            v1::Event::Nothing,
            v1::Event::Of {
                gone: Arc::clone(&other),
                number: 3,
            },
        ],
        seen: None,
        items: vec![Arc::clone(&one), other, one],
    }
}

/// One test without a harness, since all count what the process allocates.
fn main() {
    hotswap_state::faults::begin();
    all_are_found_and_dropped();
    what_lives_on_keeps_the_old_values();
    what_sees_its_fields_keeps_the_old_values();
}

fn all_are_found_and_dropped() {
    let run = || {
        NEXT.store(0, Ordering::SeqCst);
        let before = BYTES.load(Ordering::SeqCst);
        let cell = cell(world);
        drop(cell.read());
        let (cell, done) = migrate::<_, v2::World>(cell, &[]).unwrap();
        assert_eq!(done.warnings, [""; 0]);
        {
            let new = cell.read();
            assert!(Arc::ptr_eq(&new.items[0], &new.items[2]));
            let counts = new
                .items
                .iter()
                .map(|it| (Arc::strong_count(it), Arc::weak_count(it)));
            assert_eq!(counts.collect::<Vec<_>>(), [(2, 0), (1, 0), (2, 0)]);
            let values = new.items.iter().map(|it| (it.number, it.value.text()));
            let expected = [(7, "value 0"), (7, "value 1"), (7, "value 0")];
            assert_eq!(values.collect::<Vec<_>>(), expected);
            assert!(matches!(new.events[1], v2::Event::Of { number: 3 }));
        }
        assert_eq!(alive(), [0, 1]);
        drop(done);
        // SAFETY: nobody uses it again.
        unsafe { dispose(cell) };
        assert_eq!(alive(), [0; 0]);
        BYTES.load(Ordering::SeqCst) - before
    };
    run();
    assert_eq!(run(), 0, "bytes are left");
}

/// Migrates and expects that nothing changes.
fn is_refused(cell: &'static Live<v1::World>) {
    let before = alive();
    let error = migrate::<_, v2::World>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(error.contains("somebody holds another one"), "{error}");
    assert_eq!(alive(), before);
    assert_eq!(Arc::strong_count(&cell.read().items[0]), 5);
}

fn what_lives_on_keeps_the_old_values() {
    let cell = cell(world);
    // The first node is dropped, and what it leads to is not.
    let next = cell.read().node.as_ref().unwrap().next.clone();
    is_refused(cell);
    drop(next);
    migrate::<_, v2::World>(cell, &[]).unwrap();
}

fn what_sees_its_fields_keeps_the_old_values() {
    let cell = cell(world);
    {
        let mut world = cell.write();
        let seen = world.gone.pop().unwrap();
        drop(seen);
        let one = world.gone.pop().unwrap();
        world.seen = Some(v1::Seen(one));
    }
    is_refused(cell);
    std::mem::forget(cell.write().seen.take());
}
