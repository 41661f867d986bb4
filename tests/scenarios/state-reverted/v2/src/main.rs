//! A cell whose type goes forward and back.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    #[migrate(was = "ticks", with = wide, back = narrow)]
    rounds: u64,
    extra: String,
    names: Vec<Name>,
}

#[derive(Migrate)]
pub struct Name {
    #[migrate(was = "text")]
    title: String,
    short: u8,
}

static WORLD: Live<World> = Live::new(World::new);

fn wide(ticks: &u32) -> u64 {
    u64::from(*ticks) * 10
}

fn narrow(rounds: &u64) -> u32 {
    (rounds / 10) as u32
}

impl World {
    fn new() -> Self {
        let text = "one".to_owned();
        Self {
            rounds: 0,
            extra: "fresh".to_owned(),
            names: vec![Name { title: text, short: 1 }],
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
    world.rounds += 10;
    world.extra += "!";
    let name = &world.names[0];
    format!("{}, {} {} {}", world.rounds, name.title, name.short, world.extra)
}
