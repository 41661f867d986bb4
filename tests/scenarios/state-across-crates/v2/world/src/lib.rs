//! The state: a cell, and the types in it.

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Place<T> {
    pub name: String,
    pub size: Option<T>,
    pub what: Vec<T>,
}

#[derive(Migrate, Default)]
pub struct World {
    pub ticks: u64,
    pub places: Vec<Place<u8>>,
}

pub static WORLD: Live<World> = Live::new(|| {
    let name = "home".to_owned();
    let what = vec![1, 2, 3];
    World {
        ticks: 0,
        places: vec![Place {
            name,
            size: Some(9),
            what,
        }],
    }
});
