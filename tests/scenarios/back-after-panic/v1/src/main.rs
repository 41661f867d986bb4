//! A cell whose type changes, and code that panics after the change.

use std::io;
use std::panic::catch_unwind;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    names: Vec<Name>,
}

#[derive(Migrate)]
pub struct Name {
    title: String,
    short: u8,
}

static WORLD: Live<World> = Live::new(World::new);

impl World {
    fn new() -> Self {
        let title = "one".to_owned();
        Self {
            ticks: 0,
            names: vec![Name { title, short: 1 }],
        }
    }
}

fn main() {
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let answer = catch_unwind(|| match line.as_str() {
            "old" => old(),
            _ => tick(),
        });
        match answer {
            Ok(answer) => println!("{answer}"),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().unwrap();
                println!("caught by main: {text}");
            }
        }
    }
}

#[hotswap::entry]
fn old() -> String {
    panic!("old")
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    let name = &world.names[0];
    format!("{}: {} {}", world.ticks, name.title, name.short)
}
