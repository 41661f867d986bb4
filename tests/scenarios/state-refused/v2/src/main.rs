//! A cell that an entry uses, and types that it holds.

use std::io;

use hotswap::{Live, Migrate};

pub struct Plain {
    size: u32,
    pub more: u64,
}

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    plain: Plain,
}

static WORLD: Live<World> = Live::new(World::new);

impl World {
    fn new() -> Self {
        Self {
            ticks: 0,
            plain: Plain { size: 4, more: 5 },
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
    format!("tock {} of {}", world.ticks, world.plain.size)
}
