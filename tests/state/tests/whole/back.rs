//! The way back: a function takes the whole value, and makes the older one's parts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hotswap::__private::v0_1_0::{Ask, Parameter, Schema, Told, change};
use hotswap::{Migrate, SwapLimits};
use hotswap_state::faults::{Counted, NEXT, alive};
use hotswap_state::{Maker, Planner, cell, dispose, migrate_by};

use super::made;

#[derive(Migrate)]
pub struct Newer {
    pub text: String,
    pub value: Counted,
}

#[derive(Migrate, Debug)]
pub struct Older {
    pub small: u8,
    pub fresh: Counted,
    pub number: u64,
}

#[derive(Migrate)]
pub struct Parts {
    pub number: u64,
    pub small: u8,
    pub fresh: Counted,
}

#[derive(Migrate)]
pub struct TooFew {
    pub number: u64,
}

pub fn older(ask: Ask<'_>) -> Told {
    change::<Parts, _, _>(ask, &[Parameter::given::<Newer>], |_, lent| {
        let newer = lent.given::<Newer>(0);
        let fresh = made()?;
        let number = newer.text.parse().map_err(|_| newer.text.clone())?;
        Ok::<_, String>(Parts {
            number,
            small: 3,
            fresh,
        })
    })
}

pub fn too_few(ask: Ask<'_>) -> Told {
    let takes: [fn() -> Parameter; 1] = [Parameter::given::<Newer>];
    change::<TooFew, _, _>(ask, &takes, |_, _| TooFew { number: 0 })
}

pub(super) fn the_way_back_is_made_of_parts() {
    NEXT.store(0, Ordering::SeqCst);
    let newer = |text: &str| Newer {
        text: text.to_owned(),
        value: Counted::new(),
    };
    let cell = cell(Vec::new);
    cell.write().extend([newer("12"), newer("x")]);
    let migrate = |run, down: fn() -> &'static Schema| {
        let makes = "Older";
        let takes = &[];
        let down = Some(down);
        let planner = Planner::new(&[]).with_makers(&[Maker {
            makes,
            takes,
            run,
            down,
        }]);
        let outcome = migrate_by::<_, Vec<Older>>(cell, planner, SwapLimits::default());
        outcome.map(|(cell, _)| cell)
    };
    let error = migrate(older, Parts::schema).unwrap_err();
    assert!(error.ends_with(": x"), "{error}");
    assert_eq!(alive(), [0, 1], "what was made is gone");
    let error = migrate(too_few, TooFew::schema).unwrap_err();
    assert!(error.contains("has other parts"), "{error}");
    cell.write()[1].text = "13".to_owned();
    let cell = migrate(older, Parts::schema).unwrap();
    let values: Vec<(u8, u64)> = cell.read().iter().map(|it| (it.small, it.number)).collect();
    assert_eq!(values, [(3, 12), (3, 13)]);
    assert_eq!(alive().len(), 2, "those that were made");
    // SAFETY: nobody uses it again.
    unsafe { dispose(cell) };
    assert_eq!(alive(), [0; 0]);
}

mod shared1 {
    use super::*;

    #[derive(Migrate)]
    pub struct World {
        pub kept: Vec<Arc<Item>>,
        pub lent: Lent,
    }

    #[derive(Migrate)]
    pub struct Lent {
        pub item: Arc<Item>,
        pub same: Arc<u32>,
    }

    #[derive(Migrate)]
    pub struct Item {
        pub number: u32,
    }
}

mod shared2 {
    use super::*;

    #[derive(Migrate)]
    pub struct World {
        pub kept: Vec<Arc<Item>>,
        pub lent: Lent,
    }

    #[derive(Migrate)]
    pub struct Lent {
        pub same: Arc<u32>,
    }

    #[derive(Migrate)]
    pub struct Item {
        #[migrate(default = 1)]
        pub more: u32,
        pub number: u32,
    }
}

fn lent(ask: Ask<'_>) -> Told {
    let takes: [fn() -> Parameter; 1] = [Parameter::given::<shared1::Lent>];
    change::<shared2::Lent, _, _>(ask, &takes, |_, lent| shared2::Lent {
        same: Arc::clone(&lent.given::<shared1::Lent>(0).same),
    })
}

/// The function could have kept a reference to what moves.
pub(super) fn what_changes_behind_a_reference_is_not_lent() {
    let (same, item) = (Arc::new(5), Arc::new(shared1::Item { number: 6 }));
    let cell = cell(|| shared1::World {
        kept: Vec::new(),
        lent: shared1::Lent {
            item: Arc::new(shared1::Item { number: 7 }),
            same: Arc::new(0),
        },
    });
    {
        let mut world = cell.write();
        world.lent.same = Arc::clone(&same);
        world.lent.item = Arc::clone(&item);
        world.kept.push(item);
    }
    let migrate = || {
        let planner = Planner::new(&[]).with_makers(&[Maker {
            makes: "Lent",
            takes: &[],
            run: lent,
            down: Some(shared2::Lent::schema),
        }]);
        migrate_by::<_, shared2::World>(cell, planner, SwapLimits::default())
    };
    let error = migrate().map(|_| ()).unwrap_err();
    assert!(error.contains("somebody holds another one"), "{error}");
    assert_eq!(Arc::strong_count(&same), 2);
    cell.write().lent.item = Arc::new(shared1::Item { number: 8 });
    let (cell, _) = migrate().unwrap();
    assert_eq!(cell.read().kept[0].number, 6);
    assert_eq!(cell.read().kept[0].more, 1);
    assert_eq!(Arc::strong_count(&same), 2);
    assert!(Arc::ptr_eq(&cell.read().lent.same, &same));
}
