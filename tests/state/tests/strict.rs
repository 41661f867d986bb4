//! A crate that forbids and denies all it can gets no warning from what the derive expands to.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unused,
    future_incompatible,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]

use std::collections::HashMap;

use hotswap::{Live, Migrate};

/// A world.
#[derive(Migrate, Debug, Default)]
pub struct World<T> {
    /// A field that is not `Migrate`.
    pub socket: Option<std::net::TcpStream>,
    /// One with a closure inside.
    pub listeners: Vec<Box<dyn Listen>>,
    /// One of a generic type.
    pub all: HashMap<String, Vec<T>>,
    /// One that was renamed and changed.
    #[migrate(was = "hp: u32", back = narrow)]
    pub health: u64,
    /// One that is made.
    #[migrate(default = 3)]
    pub r#type: u8,
    /// The state.
    pub state: State,
}

/// Listens.
pub trait Listen: std::fmt::Debug + Send + Sync {}

/// Without fields.
#[derive(Migrate, Debug, Default, Clone, Copy)]
pub enum State {
    /// The first.
    #[default]
    Idle,
    /// The second.
    Busy,
}

/// With a lifetime.
#[derive(Migrate, Debug)]
pub struct Borrows<'a>(pub &'a str);

/// Without variants.
#[derive(Migrate, Debug)]
pub enum Never {}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::cast_possible_truncation,
    reason = "that is what a hook may look like"
)]
fn narrow(health: &u64) -> u32 {
    *health as u32
}

static WORLD: Live<World<u8>> = Live::new(World::default);

#[test]
fn a_cell_in_a_strict_crate() {
    WORLD.write().health += 1;
    assert_eq!(WORLD.read().health, 1);
    let guard = WORLD.read();
    assert_eq!(WORLD.try_write().err(), Some(hotswap::Unavailable::Busy));
    let again = WORLD.try_read().map(|world| world.health);
    assert_eq!(again, Ok(1));
    std::thread::scope(|scope| {
        // Guards may end elsewhere.
        scope.spawn(move || drop(guard));
    });
    assert!(WORLD.try_write().is_ok());
}
