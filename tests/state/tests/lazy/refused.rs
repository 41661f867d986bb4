//! What can't wait, since it could fail later.

use std::collections::HashMap;
use std::sync::Arc;

use hotswap::{Migrate, Pieces};
use hotswap_state::{cell, migrate};

use super::{end, v1, v2};

/// What can't wait, in both versions.
macro_rules! pair {
    ($module:ident, $old:ty, $new:ty) => {
        pub mod $module {
            use super::*;

            #[derive(Migrate, Default)]
            pub struct Old {
                #[migrate(lazy)]
                pub all: Pieces<Before>,
            }

            #[derive(Migrate)]
            pub struct Before {
                pub it: $old,
            }

            #[derive(Migrate)]
            pub struct New {
                #[migrate(lazy)]
                pub all: Pieces<After>,
            }

            #[derive(Migrate)]
            pub struct After {
                pub it: $new,
            }
        }
    };
}

pair!(shared, Arc<v1::Leaf>, Arc<v2::Leaf>);
pair!(keys, HashMap<OldKey, u8>, HashMap<NewKey, u8>);
pair!(variants, OldKind, NewKind);
pair!(nested, OldList, NewList);
pair!(made, OldDoor, NewDoor);

#[derive(Migrate, PartialEq, Eq, Hash)]
pub struct OldKey {
    number: u8,
}

#[derive(Migrate, PartialEq, Eq, Hash)]
pub struct NewKey {
    number: u8,
    more: u8,
}

#[derive(Migrate)]
pub enum OldKind {
    Kept,
    Gone(u8),
}

#[derive(Migrate)]
pub enum NewKind {
    Kept,
}

#[derive(Migrate)]
pub struct OldList {
    next: Option<Box<OldList>>,
}

#[derive(Migrate)]
pub struct NewList {
    more: u8,
    next: Option<Box<NewList>>,
}

#[derive(Migrate, Default)]
pub struct Old {
    #[migrate(lazy)]
    pub all: Pieces<Other>,
}

#[derive(Migrate)]
pub struct New {
    #[migrate(lazy)]
    pub all: Pieces<Failing>,
}

#[derive(Migrate)]
pub enum OldDoor {
    Open(u8),
}

#[derive(Migrate)]
pub enum NewDoor {
    #[migrate(with = wide)]
    Open(u64),
}

fn wide(by: &u8) -> NewDoor {
    NewDoor::Open(u64::from(*by))
}

#[derive(Migrate, Default)]
pub struct Other {
    number: u32,
}

fn no_way(_: &u32) -> Result<u8, String> {
    Err("no way".to_owned())
}

#[derive(Migrate)]
pub struct Failing {
    #[migrate(with = no_way)]
    number: u8,
}

pub fn what_could_fail_later_is_refused() {
    fn refusal<A: Migrate + Default + 'static, B: Migrate + 'static>() -> String {
        let cell = cell(A::default);
        let outcome = migrate::<A, B>(cell, &[]).map(|_| ()).unwrap_err();
        end(cell);
        outcome
    }
    for (text, expected) in [
        (
            refusal::<Old, New>(),
            "field `number`: the function that makes it returns a `Result`",
        ),
        (
            refusal::<shared::Old, shared::New>(),
            "counted references are changed all at once",
        ),
        (refusal::<keys::Old, keys::New>(), "its keys change"),
        (
            refusal::<variants::Old, variants::New>(),
            "its variant `Gone` was removed",
        ),
        (refusal::<nested::Old, nested::New>(), "nested to any depth"),
        (
            refusal::<made::Old, made::New>(),
            "a function makes its variant `Open`",
        ),
    ] {
        assert!(
            text.contains(expected) && text.contains("leave `lazy` out"),
            "{text}"
        );
    }
}
