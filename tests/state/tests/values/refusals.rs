//! Plans that do not fit the types are refused before a value is touched.

use hotswap::__private::v0_1_0::Rehearsal;
use hotswap::Migrate;
use hotswap_protocol::state::{FieldChange, Fields, How, Migration, Source, VariantChange, Whole};
use hotswap_state::{Planner, cell};

mod v1 {
    #[derive(hotswap::Migrate)]
    pub struct World {
        pub round: u64,
        pub name: String,
        pub old: u32,
        pub state: State,
    }
    #[derive(hotswap::Migrate)]
    pub enum State {
        One(u8),
        Two(u8),
    }
}

mod v2 {
    /// A type without `Default`.
    pub struct NoDefault;

    #[derive(hotswap::Migrate)]
    pub struct World {
        pub round: u64,
        pub name: String,
        #[migrate(with = super::hook)]
        pub new: u16,
        pub state: State,
        pub bare: NoDefault,
    }
    #[derive(hotswap::Migrate)]
    pub enum State {
        One(u8),
        Two(u8),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "hooks take references")]
fn hook(old: &u32) -> u16 {
    *old as u16
}

fn field(name: &str, source: Source) -> FieldChange {
    let name = name.to_owned();
    FieldChange { name, source }
}

fn same(name: &str) -> Source {
    let from = name.to_owned();
    Source::Same { from }
}

fn with(name: &str) -> Source {
    let from = name.to_owned();
    Source::With { from }
}

/// The fields of the world, as a plan that is right but for `bare`, which has no value.
fn fields(migration: &mut Migration) -> &mut Fields {
    match &mut migration.types[0].how {
        How::Fields(fields) => fields,
        other => panic!("{other:?}"),
    }
}

fn variants(migration: &mut Migration) -> &mut Vec<VariantChange> {
    match &mut migration.types[1].how {
        How::Variants(variants) => variants,
        other => panic!("{other:?}"),
    }
}

/// What becomes of a plan.
fn outcome<A: Migrate + 'static, B: Migrate + 'static>(migration: &Migration) -> String {
    let mut rehearsal = Rehearsal::new(migration);
    let cell = cell::<A>(|| unreachable!("no value is made"));
    // SAFETY: the rehearsal is not run.
    let outcome = unsafe { rehearsal.add::<_, B>("cell", cell, 0) };
    outcome.map_or_else(|error| error, |_| "good".to_owned())
}

/// Changes the plan, and tells what becomes of it.
fn check(change: impl FnOnce(&mut Migration), expected: &str) {
    let plan = Planner::new(&[("World.new", "old")]);
    let mut migration = plan.plan(v1::World::schema(), v2::World::schema());
    change(&mut migration);
    let outcome = outcome::<v1::World, v2::World>(&migration);
    assert!(outcome.contains(expected), "{expected}: {outcome}");
}

#[test]
fn plans_that_do_not_fit() {
    let no_default = "type `values::refusals::v2::World`: the new field `bare` has no value: its type \
                      `values::refusals::v2::NoDefault` has no `Default`; write `#[migrate(default = …)]` on it";
    check(|_| (), no_default);
    check(
        |m| m.types[0].old_size += 1,
        "the plan has 41 bytes for `values::refusals::v1::World`, and the program 40",
    );
    check(
        |m| m.types[0].how = How::Elements(vec![None]),
        "its elements can't be changed one by one",
    );
    check(
        |m| {
            m.types[0].how = How::Whole(Whole {
                function: "make".into(),
                takes: Vec::new(),
                parts: None,
            });
        },
        "there is no function `make`",
    );
    check(|m| m.types.truncate(1), "the plan has no change 1");
    check(
        |m| fields(m).new[0].name = "other".into(),
        "says nothing of field `round`",
    );
    check(
        |m| fields(m).new[0].source = same("other"),
        "there was no field `other`",
    );
    check(
        |m| fields(m).new[0].source = same("name"),
        "field `round` is to be moved as it is, but it has 8 bytes and had 24",
    );
    check(
        |m| fields(m).new[0].source = with("round"),
        "field `round` has no function `with`",
    );
    check(
        |m| fields(m).new[2].source = with("round"),
        "the function for field `new` takes `&u32`, and the old field `round` is `u64`",
    );
    check(
        |m| fields(m).new[2].source = Source::Back { from: "old".into() },
        "field `old` has no function `back`",
    );
    let give = |m: &mut Migration, source| {
        // A field of no size can be anything.
        m.types[0].how = match &m.types[0].how {
            How::Fields(fields) => How::Fields(Fields {
                new: fields
                    .new
                    .iter()
                    .filter(|f| f.name != "bare")
                    .cloned()
                    .chain([field("bare", source)])
                    .collect(),
                removed: fields.removed.clone(),
            }),
            other => other.clone(),
        };
    };
    check(
        move |m| give(m, same("name")),
        "the plan moves the old field `name` twice",
    );
    check(
        |m| {
            let new = &mut fields(m).new;
            new[1].source = Source::Default;
            new[4].source = same("name");
        },
        "field `bare` is to be moved as it is, but it has 0 bytes",
    );
    check(|m| fields(m).new[3].source = same("state"), no_default);
    check(
        |m| drop(variants(m).pop()),
        "the plan says nothing of the old variant `Two`",
    );
    check(
        |m| variants(m)[1].new = Some("One".into()),
        "two old variants become one, `Two` among them",
    );
    check(
        |m| variants(m)[1].new = Some("Three".into()),
        "there is no variant `Three`",
    );
}

mod whole {
    pub mod v1 {
        #[derive(hotswap::Migrate)]
        pub struct World(pub u64, pub String);
    }
    pub mod v2 {
        #[derive(hotswap::Migrate)]
        pub struct World(pub u64);
    }
}

#[test]
fn every_old_field_has_an_end() {
    let check = |change: fn(&mut Fields), expected: &str| {
        let mut migration =
            Planner::new(&[]).plan(whole::v1::World::schema(), whole::v2::World::schema());
        change(fields(&mut migration));
        let mut rehearsal = Rehearsal::new(&migration);
        let cell = cell::<whole::v1::World>(|| unreachable!("no value is made"));
        // SAFETY: the rehearsal is not run.
        let outcome = unsafe { rehearsal.add::<_, whole::v2::World>("cell", cell, 0) };
        let outcome = outcome.map_or_else(|error| error, |_| "good".to_owned());
        assert!(outcome.contains(expected), "{expected}: {outcome}");
    };
    check(|_| (), "good");
    check(
        |fields| fields.removed.clear(),
        "the plan says nothing of the old field `1`",
    );
    check(
        |fields| fields.removed.push("0".into()),
        "the plan moves and removes field `0`",
    );
    check(
        |fields| fields.new.push(field("7", same("0"))),
        "there is no field `7`",
    );
}

mod variants {
    pub mod v1 {
        #[derive(hotswap::Migrate)]
        pub enum Door {
            Open(u8, u16),
        }
    }
    pub mod v2 {
        #[derive(hotswap::Migrate)]
        pub enum Door {
            #[migrate(with = super::one)]
            Open(u64),
        }
    }
    pub mod v3 {
        #[derive(hotswap::Migrate)]
        pub enum Door {
            #[migrate(with = super::others)]
            Open(u32),
        }
    }
    pub mod v4 {
        #[derive(hotswap::Migrate)]
        pub enum Door {
            Open(u32),
        }
    }

    pub fn one(first: &u8) -> v2::Door {
        v2::Door::Open((*first).into())
    }

    pub fn others(first: &u8, second: &u32) -> v3::Door {
        v3::Door::Open(u32::from(*first) + second)
    }
}

#[test]
fn functions_of_variants_that_do_not_fit() {
    use variants::{v1, v2, v3, v4};
    fn refused<B: Migrate + 'static>(with: bool) -> String {
        let mut migration = Planner::new(&[]).plan(v1::Door::schema(), B::schema());
        let How::Variants(variants) = &mut migration.types[0].how else {
            panic!("{migration:?}")
        };
        variants[0].with = with;
        outcome::<v1::Door, B>(&migration)
    }
    for (found, expected) in [
        (
            refused::<v2::Door>(true),
            "variant `Open`: its function takes 1 fields, and the old variant `Open` has 2",
        ),
        (
            refused::<v3::Door>(true),
            "variant `Open`: its function takes `&u32`, and the old field `Open.1` is `u16`",
        ),
        (
            refused::<v4::Door>(true),
            "variant `Open`: it has no function `with`",
        ),
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
}
