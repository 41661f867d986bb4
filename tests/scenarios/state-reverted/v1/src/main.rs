//! A cell whose type goes forward and back.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    names: Vec<Name>,
}

#[derive(Migrate)]
pub struct Name {
    text: String,
    short: u8,
}

static WORLD: Live<World> = Live::new(World::new);

impl World {
    fn new() -> Self {
        let text = "one".to_owned();
        Self {
            ticks: 0,
            names: vec![Name { text, short: 1 }],
        }
    }
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    let name = &world.names[0];
    format!("{}: {} {}", world.ticks, name.text, name.short)
}
