//! A cell whose type goes forth and back, with a function that knows both forms.

use std::io;

use hotswap::{Live, Migrate, Old};

#[derive(Migrate)]
pub struct World {
    health: String,
}

#[hotswap::code_change]
fn world(_old: &Old<'_>, hp: Option<&u32>, health: Option<&String>) -> World {
    let health = health.cloned().or_else(|| Some(hp?.to_string()));
    World {
        health: health.unwrap_or_default(),
    }
}

static WORLD: Live<World> = Live::new(|| World {
    health: String::new(),
});

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    format!("{} health", WORLD.read().health)
}
