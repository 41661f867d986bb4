//! A cell for whose values functions fail.

use std::io;

use hotswap::{Live, Migrate, Old};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    names: Vec<Name>,
}

#[derive(Migrate)]
pub struct Name {
    text: u32,
}

#[hotswap::code_change]
fn name(_old: &Old<'_>, text: &String) -> Name {
    // The entry asks for the cell that holds the names.
    let length = text.len() + tick().len();
    Name {
        text: length as u32,
    }
}

static WORLD: Live<World> = Live::new(|| {
    let name = |text: &str| Name {
        text: text.len() as u32,
    };
    World {
        ticks: 0,
        names: vec![name("1"), name("2"), name("three")],
    }
});

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    let names: Vec<String> = world.names.iter().map(|it| it.text.to_string()).collect();
    format!("{} {}", world.ticks, names.join(" "))
}
