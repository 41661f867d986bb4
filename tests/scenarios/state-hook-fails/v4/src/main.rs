//! A cell whose value is converted by a function of the program's.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    name: String,
    names: Vec<Name>,
}

#[derive(Migrate)]
pub struct Name {
    #[migrate(with = length)]
    text: usize,
    more: String,
}

fn length(text: &String) -> Result<usize, String> {
    Ok(text.len())
}

static WORLD: Live<World> = Live::new(World::new);

impl World {
    fn new() -> Self {
        let name = |text: &str| Name {
            text: text.len(),
            more: String::new(),
        };
        Self {
            ticks: 0,
            name: "world".to_owned(),
            names: vec![name("one"), name("two"), name("three")],
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
    let names: Vec<String> = world.names.iter().map(|name| name.text.to_string()).collect();
    format!("{} {}: {}", world.name, world.ticks, names.join(" "))
}
