//! Functions that make whole values: what they get, and that nothing is lost when they fail.

mod back;
mod patience;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock, Weak};

use hotswap::__private::v0_1_0::{Ask, Parameter, Told, change};
use hotswap::{Live, Migrate, Old, SwapLimits};
use hotswap_state::faults::{BYTES, Counted, Counting, FUSE, NEXT, alive, burns};
use hotswap_state::{Maker, Planner, cell, dispose, migrate_by};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

mod v1 {
    use super::*;

    #[derive(Migrate, Debug)]
    pub struct World {
        pub items: Vec<Item>,
        pub boxed: Option<Box<Item>>,
        pub map: HashMap<u8, Item>,
        pub lock: Mutex<Item>,
        pub shared: Vec<Arc<Item>>,
        pub events: [Event; 3],
        pub foreign: Foreign,
        pub nested: HashMap<u8, (Vec<Foreign>, u16)>,
        pub pair: (Foreign, Counted),
        pub deep: Option<Box<[Foreign; 2]>>,
        pub results: BTreeMap<u8, Result<Foreign, u8>>,
        pub locked: Arc<RwLock<Foreign>>,
        pub same: Weak<RwLock<Foreign>>,
        pub inner: Mutex<RefCell<Foreign>>,
        pub plain: Counted,
    }

    #[derive(Migrate, Debug)]
    pub struct Item {
        pub unused: Counted,
        pub name: Counted,
        pub number: u32,
    }

    #[derive(Migrate, Debug)]
    pub enum Event {
        Nothing,
        Open { by: Counted, since: u8 },
        Pair(u64, Counted),
    }

    /// It does not say what it consists of.
    #[derive(Debug)]
    #[repr(C)]
    pub struct Foreign {
        pub number: u64,
        pub value: Counted,
    }
}

mod v2 {
    use super::*;

    #[derive(Migrate, Debug)]
    pub struct World {
        pub foreign: Foreign,
        pub nested: HashMap<u8, (Vec<Foreign>, u16)>,
        pub pair: (Foreign, Counted),
        pub deep: Option<Box<[Foreign; 2]>>,
        pub results: BTreeMap<u8, Result<Foreign, u8>>,
        pub locked: Arc<RwLock<Foreign>>,
        pub same: Weak<RwLock<Foreign>>,
        pub inner: Mutex<RefCell<Foreign>>,
        #[migrate(default = Counted::new())]
        pub fresh: Counted,
        pub items: Vec<Item>,
        pub boxed: Option<Box<Item>>,
        pub map: HashMap<u8, Item>,
        pub lock: Mutex<Item>,
        pub shared: Vec<Arc<Item>>,
        pub plain: Counted,
        pub events: [Event; 3],
    }

    #[derive(Migrate, Debug)]
    pub struct Item {
        pub name: Counted,
        pub was: String,
        pub number: u64,
    }

    #[derive(Migrate, Debug)]
    pub enum Event {
        Seen(String, Counted),
    }

    #[derive(Debug)]
    pub struct Foreign {
        pub value: Counted,
        pub text: String,
    }
}

/// Fails in one of two ways when it is to.
fn made() -> Result<Counted, String> {
    if burns() {
        if FUSE.load(Ordering::SeqCst) % 2 == 0 {
            panic!("the fuse");
        }
        return Err("it is no good".to_owned());
    }
    Ok(Counted::new())
}

fn item(ask: Ask<'_>) -> Told {
    let takes: [fn() -> Parameter; 3] = [
        Parameter::given::<Counted>,
        Parameter::given::<u32>,
        Parameter::perhaps::<u8>,
    ];
    let make = |old: &Old<'_>, name: &Counted, number: &u32, none: Option<&u8>| {
        assert_eq!((old.variant(), none), (None, None));
        Ok::<_, String>(v2::Item {
            name: made()?,
            was: format!("{name:?}"),
            number: u64::from(*number) + 1,
        })
    };
    change::<v2::Item, _, _>(ask, &takes, |old, lent| {
        make(old, lent.given(0), lent.given(1), lent.perhaps(2))
    })
}

fn event(ask: Ask<'_>) -> Told {
    let takes: [fn() -> Parameter; 2] = [Parameter::perhaps::<Counted>, Parameter::perhaps::<u64>];
    change::<v2::Event, _, _>(ask, &takes, |old, lent| {
        let (by, number) = (lent.perhaps::<Counted>(0), lent.perhaps::<u64>(1));
        assert_eq!((old.from_version(), old.to_version()), (1, 2));
        let text = format!("{:?} {by:?} {number:?}", old.variant());
        Ok::<_, String>(v2::Event::Seen(text, made()?))
    })
}

fn foreign(ask: Ask<'_>) -> Told {
    let takes: [fn() -> Parameter; 2] = [Parameter::given::<u64>, Parameter::given::<Counted>];
    change::<v2::Foreign, _, _>(ask, &takes, |_, lent| {
        let (number, value) = (lent.given::<u64>(0), lent.given::<Counted>(1));
        Ok::<_, String>(v2::Foreign {
            value: made()?,
            text: format!("{number} {value:?}"),
        })
    })
}

const MAKERS: [Maker; 3] = [
    Maker {
        makes: "Item",
        takes: &["name", "number", "none"],
        run: item,
        down: None,
    },
    Maker {
        makes: "Event",
        takes: &["Open.by", "Pair.0"],
        run: event,
        down: None,
    },
    Maker {
        makes: "Foreign",
        takes: &["number@0", "value@8"],
        run: foreign,
        down: None,
    },
];

fn world() -> v1::World {
    let item = |number| v1::Item {
        unused: Counted::new(),
        name: Counted::new(),
        number,
    };
    let foreign = |number| v1::Foreign {
        number,
        value: Counted::new(),
    };
    let shared = Arc::new(item(9));
    let locked = Arc::new(RwLock::new(foreign(20)));
    v1::World {
        items: (0..3).map(item).collect(),
        boxed: Some(Box::new(item(4))),
        map: (0..2).map(|key| (key, item(5))).collect(),
        lock: Mutex::new(item(6)),
        shared: vec![shared.clone(), shared, Arc::new(item(10))],
        events: [
            v1::Event::Nothing,
            v1::Event::Open {
                by: Counted::new(),
                since: 3,
            },
            v1::Event::Pair(8, Counted::new()),
        ],
        foreign: foreign(11),
        nested: HashMap::from([(1, (vec![foreign(12), foreign(13)], 14))]),
        pair: (foreign(15), Counted::new()),
        deep: Some(Box::new([foreign(16), foreign(17)])),
        results: BTreeMap::from([(1, Ok(foreign(18))), (2, Err(19))]),
        same: Arc::downgrade(&locked),
        locked,
        inner: Mutex::new(RefCell::new(foreign(21))),
        plain: Counted::new(),
    }
}

fn planner() -> Planner {
    Planner::new(&[]).with_makers(&MAKERS)
}

fn migrate(cell: &'static Live<v1::World>) -> Result<&'static Live<v2::World>, String> {
    migrate_by(cell, planner(), SwapLimits::default()).map(|(cell, _)| cell)
}

/// One test without a harness, since all count what the process allocates.
fn main() {
    hotswap_state::faults::begin();
    functions_get_fields_by_name_and_all_that_is_old_is_dropped();
    faults_at_every_call_leave_nothing();
    patience::a_function_that_does_not_return_is_left_behind();
    patience::a_function_that_asks_for_its_cell_is_told();
    back::the_way_back_is_made_of_parts();
    back::what_changes_behind_a_reference_is_not_lent();
}

fn functions_get_fields_by_name_and_all_that_is_old_is_dropped() {
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(world);
    let (names, plain) = {
        let old = cell.read();
        let names: Vec<String> = old
            .items
            .iter()
            .map(|it| format!("{:?}", it.name))
            .collect();
        (names, format!("{:?}", old.plain))
    };
    let by = match &cell.read().events[1] {
        v1::Event::Open { by, .. } => format!("{by:?}"),
        other => panic!("{other:?}"),
    };
    let cell = migrate(cell).unwrap();
    let new = cell.read();
    let was: Vec<&String> = new.items.iter().map(|item| &item.was).collect();
    assert_eq!(was, names.iter().collect::<Vec<_>>());
    assert_eq!(new.boxed.as_ref().unwrap().number, 5);
    assert!(Arc::ptr_eq(&new.shared[0], &new.shared[1]));
    assert_eq!((new.shared[0].number, new.shared[2].number), (10, 11));
    assert_eq!(format!("{:?}", new.plain), plain, "it moved");
    let v2::Foreign { value, text } = &new.foreign;
    assert!(text.starts_with("11 value "), "{text} of {value:?}");
    let number = |foreign: &v2::Foreign| {
        let (number, _) = foreign.text.split_once(" value ").unwrap();
        number.parse::<u64>().unwrap()
    };
    let (row, of_row) = &new.nested[&1];
    assert_eq!(row.iter().map(number).collect::<Vec<_>>(), [12, 13]);
    assert_eq!((*of_row, number(&new.pair.0)), (14, 15));
    assert_eq!(new.deep.as_ref().unwrap().each_ref().map(number), [16, 17]);
    let results = new.results.values().map(|it| it.as_ref().map(number));
    assert_eq!(results.collect::<Vec<_>>(), [Ok(18), Err(&19)]);
    assert!(Arc::ptr_eq(&new.same.upgrade().unwrap(), &new.locked));
    assert_eq!(number(&new.locked.read().unwrap()), 20);
    assert_eq!(number(&new.inner.lock().unwrap().borrow()), 21);
    let texts: Vec<&str> = new
        .events
        .iter()
        .map(|v2::Event::Seen(text, _)| text.as_str())
        .collect();
    let open = format!("Some(\"Open\") Some({by}) None");
    let expected = [
        "Some(\"Nothing\") None None",
        &open,
        "Some(\"Pair\") None Some(8)",
    ];
    assert_eq!(texts, expected);
    // Each item, event and foreign value has one, the world two, and a pair in it one.
    assert_eq!(alive().len(), (3 + 1 + 2 + 1 + 2) + 3 + (1 + 6 + 2) + 3);
    drop(new);
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    assert_eq!(alive(), [0; 0]);
}

/// The bytes of the fields that have no padding, behind the vectors too.
fn bytes(world: &v1::World) -> Vec<u8> {
    fn of<T>(field: &T) -> &[u8] {
        // SAFETY: the fields that are asked for consist of addresses, lengths and numbers.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(field).cast(), size_of::<T>()) }
    }
    let v1::World {
        items,
        boxed,
        map,
        shared,
        foreign,
        plain,
        ..
    } = world;
    let mut all = [
        of(items),
        of(boxed),
        of(map),
        of(shared),
        of(foreign),
        of(plain),
    ]
    .concat();
    for item in items {
        all.extend([of(&item.unused), of(&item.name), of(&item.number)].concat());
    }
    all
}

fn faults_at_every_call_leave_nothing() {
    NEXT.store(0, Ordering::SeqCst);
    let cell = cell(world);
    drop(cell.read());
    // What the runtime keeps for later is there after the first time.
    FUSE.store(0, Ordering::SeqCst);
    migrate(cell).unwrap_err();
    for fuse in 0.. {
        let before = (format!("{:?}", cell.read()), bytes(&cell.read()), alive());
        let allocated = BYTES.load(Ordering::SeqCst);
        FUSE.store(fuse, Ordering::SeqCst);
        let outcome = migrate(cell);
        FUSE.store(-1, Ordering::SeqCst);
        let Err(error) = outcome else {
            assert_eq!(fuse, 3 + 1 + 2 + 1 + 2 + 3 + 1 + 6 + 2, "calls");
            break;
        };
        let is_told = error.contains("the fuse") || error.contains("it is no good");
        assert!(
            is_told && error.starts_with("failed: cell `cell`, "),
            "{error}"
        );
        drop(error);
        let left = BYTES.load(Ordering::SeqCst) - allocated;
        assert_eq!(left, 0, "bytes are left after fault {fuse}");
        let after = (format!("{:?}", cell.read()), bytes(&cell.read()), alive());
        assert!(after == before, "fault {fuse}: {after:?} is not {before:?}");
    }
    // SAFETY: the last migration has succeeded.
    unsafe { dispose(&*std::ptr::from_ref(cell).cast::<Live<v2::World>>()) };
    assert_eq!(alive(), [0; 0], "all were dropped");
}
