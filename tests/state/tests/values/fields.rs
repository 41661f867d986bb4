//! Fields and variants: added, removed, moved, renamed, retyped.

use hotswap_state::{changed, migrate};

mod v1 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct World {
        pub round: u64,
        pub name: String,
        pub all: Vec<Player>,
        pub gone: Option<String>,
        pub hp: u32,
        pub text: String,
        pub state: State,
    }

    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct Player {
        pub id: u16,
        pub at: (f32, f32),
        pub tags: Vec<String>,
    }

    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub enum State {
        #[default]
        Idle,
        Open {
            by: String,
            count: u8,
        },
        Pair(Player, u64),
        Removed(String),
    }
}

mod v2 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct World {
        pub state: State,
        #[migrate(with = super::parse, back = super::print)]
        pub text: u16,
        #[migrate(was = "hp: u32", back = super::narrow)]
        pub hp: u64,
        #[migrate(default = vec!["a".to_owned(), "b".to_owned()])]
        pub fresh: Vec<String>,
        pub by_default: u8,
        pub players: Vec<Player>,
        pub name: String,
        pub round: u64,
    }

    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct Player {
        pub tags: Vec<String>,
        pub at: (f32, f32),
        #[migrate(default = 7)]
        pub lives: u8,
        pub id: u16,
    }

    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub enum State {
        New,
        Pair(Player, u64, u8),
        #[migrate(was = "Open")]
        Opened {
            count: u8,
            by: String,
            since: u64,
        },
        #[default]
        Idle,
    }
}

const RENAMES: &[(&str, &str)] = &[("World.players", "all"), ("State.Opened", "Open")];
const BACK: &[(&str, &str)] = &[("World.all", "players"), ("State.Open", "Opened")];

#[expect(clippy::ptr_arg, reason = "the old field is a `String`")]
fn parse(text: &String) -> Result<u16, std::num::ParseIntError> {
    text.parse()
}

fn print(number: &u16) -> String {
    number.to_string()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "hooks take references")]
fn narrow(hp: &u64) -> u32 {
    u32::try_from(*hp).unwrap_or(u32::MAX)
}

fn player(id: u16) -> v1::Player {
    v1::Player {
        id,
        at: (f32::from(id), 0.5),
        tags: vec![format!("tag {id}"), String::new()],
    }
}

fn world(state: v1::State) -> v1::World {
    v1::World {
        round: 1 << 40,
        name: "earth".into(),
        all: (0..5).map(player).collect(),
        gone: Some("dropped".into()),
        hp: 77,
        text: "4242".into(),
        state,
    }
}

fn new_player(id: u16) -> v2::Player {
    let v1::Player { id, at, tags } = player(id);
    v2::Player {
        tags,
        at,
        lives: 7,
        id,
    }
}

fn new_world(state: v2::State) -> v2::World {
    v2::World {
        state,
        text: 4242,
        hp: 77,
        fresh: vec!["a".into(), "b".into()],
        by_default: 0,
        players: (0..5).map(new_player).collect(),
        name: "earth".into(),
        round: 1 << 40,
    }
}

#[test]
fn all_kinds_of_fields_and_variants() {
    let open = v1::State::Open {
        by: "alice".into(),
        count: 3,
    };
    let opened = v2::State::Opened {
        count: 3,
        by: "alice".into(),
        since: 0,
    };
    let table = [
        (v1::State::Idle, v2::State::Idle),
        (open, opened),
        (
            v1::State::Pair(player(9), 1 << 33),
            v2::State::Pair(new_player(9), 1 << 33, 0),
        ),
    ];
    for (old, new) in table {
        let found: v2::World = changed(world(old.clone()), RENAMES);
        assert_eq!(found, new_world(new));
        // The way back gives the first value, but for what was dropped.
        let back: v1::World = changed(found, BACK);
        let expected = v1::World {
            gone: None,
            ..world(old)
        };
        assert_eq!(back, expected);
    }
}

#[test]
fn a_removed_variant_that_is_live_is_refused_and_nothing_changes() {
    let cell = hotswap_state::cell(|| world(v1::State::Removed("x".into())));
    let before = cell.read().clone();
    let error = migrate::<v1::World, v2::World>(cell, RENAMES).unwrap_err();
    assert_eq!(
        error,
        "failed: cell `cell`, field `state`, type `values::fields::v2::State`: \
         a value is of the variant `Removed`, which is no more"
    );
    assert_eq!(*cell.read(), before);
}

#[test]
fn a_hook_that_fails_says_where() {
    let cell = hotswap_state::cell(|| v1::World {
        text: "no number".into(),
        ..world(v1::State::Idle)
    });
    let before = cell.read().clone();
    let error = migrate::<v1::World, v2::World>(cell, RENAMES).unwrap_err();
    assert_eq!(
        error,
        "failed: cell `cell`, field `text`, type `values::fields::v2::World`: invalid digit found in string"
    );
    assert_eq!(*cell.read(), before);
}

mod deep {
    pub mod v1 {
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Outer {
            pub inner: Inner,
            pub tail: u8,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Inner {
            pub most: Most,
            pub word: u16,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Most(pub u8, pub u32, pub String);
    }
    pub mod v2 {
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Outer {
            pub tail: u8,
            pub inner: Inner,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Inner {
            pub word: u16,
            pub most: Most,
            pub list: Vec<u8>,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Most(
            pub u8,
            pub u32,
            pub String,
            #[migrate(default = super::no())] pub i8,
        );
    }
    fn no() -> i8 {
        panic!("no")
    }
    pub mod v3 {
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Outer {
            pub tail: u8,
            pub inner: Inner,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Inner {
            pub list: Vec<u8>,
            pub most: Most,
            pub word: u16,
        }
        #[derive(hotswap::Migrate, Default, Debug, PartialEq)]
        pub struct Most(pub u8, pub u32, pub String, #[migrate(default = -1)] pub i8);
    }
}

#[test]
fn structs_in_structs() {
    let value = || deep::v1::Outer {
        inner: deep::v1::Inner {
            most: deep::v1::Most(1, 2, "three".into()),
            word: 4,
        },
        tail: 5,
    };
    let found: deep::v3::Outer = changed(value(), &[]);
    let expected = deep::v3::Outer {
        tail: 5,
        inner: deep::v3::Inner {
            list: vec![],
            most: deep::v3::Most(1, 2, "three".into(), -1),
            word: 4,
        },
    };
    assert_eq!(found, expected);
    let cell = hotswap_state::cell(deep::v1::Outer::default);
    *cell.write() = value();
    let error = migrate::<deep::v1::Outer, deep::v2::Outer>(cell, &[]).unwrap_err();
    assert_eq!(
        error,
        "failed: cell `cell`, field `inner.most.3`, type `values::fields::deep::v2::Outer`: panicked: no"
    );
    assert_eq!(*cell.read(), value());
}

mod made {
    pub mod v1 {
        #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
        pub enum Door {
            #[default]
            Shut,
            Open(String, std::rc::Rc<u16>),
            Locked {
                code: String,
            },
            Broken,
        }
    }
    pub mod v2 {
        #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
        pub enum Door {
            #[migrate(with = super::broken)]
            Broken { since: u8 },
            #[migrate(was = "Open", with = super::ajar)]
            Ajar {
                by: Vec<String>,
                count: std::rc::Rc<u16>,
            },
            #[migrate(with = super::locked)]
            Locked(u64),
            #[default]
            Shut,
        }
    }

    pub fn broken() -> v2::Door {
        v2::Door::Broken { since: 8 }
    }

    #[expect(clippy::ptr_arg, reason = "the old fields are these")]
    pub fn ajar(by: &String, count: &std::rc::Rc<u16>) -> v2::Door {
        v2::Door::Ajar {
            by: by.split(',').map(str::to_owned).collect(),
            count: count.clone(),
        }
    }

    #[expect(clippy::ptr_arg, reason = "the old field is a `String`")]
    pub fn locked(code: &String) -> Result<v2::Door, std::num::ParseIntError> {
        match code.as_str() {
            "wrong" => Ok(v2::Door::Broken { since: 1 }),
            "panic" => panic!("no lock"),
            code => code.parse().map(v2::Door::Locked),
        }
    }
}

#[test]
fn functions_make_variants_of_the_old_fields() {
    use made::{v1, v2};
    let renames = [("Door.Ajar", "Open")];
    let count = std::rc::Rc::new(7);
    let old = vec![
        v1::Door::Open("a,b".into(), count.clone()),
        v1::Door::Shut,
        v1::Door::Locked { code: "42".into() },
        v1::Door::Broken,
    ];
    let new: Vec<v2::Door> = changed(old.clone(), &renames);
    let expected = [
        v2::Door::Ajar {
            by: vec!["a".into(), "b".into()],
            count: count.clone(),
        },
        v2::Door::Shut,
        v2::Door::Locked(42),
        v2::Door::Broken { since: 8 },
    ];
    assert_eq!(new, expected);
    drop((old, new, expected));
    assert_eq!(std::rc::Rc::strong_count(&count), 1);
    for (code, reason) in [
        ("x", "invalid digit found in string"),
        (
            "wrong",
            "the function for variant `Locked` made a value of the variant `Broken`",
        ),
        ("panic", "panicked: no lock"),
    ] {
        let cell = hotswap_state::cell(Vec::<v1::Door>::new);
        let open = v1::Door::Open("c".into(), count.clone());
        let before = vec![open, v1::Door::Locked { code: code.into() }];
        cell.write().clone_from(&before);
        let error = migrate::<Vec<v1::Door>, Vec<v2::Door>>(cell, &renames).unwrap_err();
        assert!(error.ends_with(reason), "{error}");
        assert_eq!(*cell.read(), before);
        // What was made before the failure is gone.
        drop(before);
        cell.write().clear();
        assert_eq!(std::rc::Rc::strong_count(&count), 1);
    }
}
