//! A world of many items, which migrate when they are first used.

use std::io;

use hotswap::{HolderKind, Live, Migrate, Pieces};

#[derive(Migrate)]
pub struct Item {
    weight: u32,
    #[migrate(default = 10)]
    worth: u64,
    name: String,
}

#[derive(Migrate)]
pub struct World {
    rounds: u32,
    #[migrate(lazy)]
    items: Pieces<Item>,
}

static WORLD: Live<World> = Live::new(World::new);

impl Item {
    fn new(number: u32) -> Self {
        let name = format!("item {number}");
        Self {
            name,
            weight: number,
            worth: 10,
        }
    }

    fn shown(&self) -> String {
        format!("{} {} of {}", self.name, self.weight, self.worth)
    }
}

impl World {
    fn new() -> Self {
        Self {
            rounds: 0,
            items: (0..5000).map(Item::new).collect(),
        }
    }
}

fn main() {
    for line in io::stdin().lines() {
        let answer = match line.unwrap().split_once(' ') {
            Some(("get", number)) => get(number.parse().unwrap()),
            Some(("finish", _)) => finish(),
            _ => kept(),
        };
        println!("{answer}");
    }
}

#[hotswap::entry]
fn get(number: usize) -> String {
    WORLD.write().rounds += 1;
    let world = WORLD.read();
    let shown = world.items[number].shown();
    format!("{}: {shown}, {} left", world.rounds, world.items.left())
}

#[hotswap::entry]
fn finish() -> String {
    let world = WORLD.read();
    world.items.finish();
    let weight: u64 = world.items.iter().map(|item| u64::from(item.weight)).sum();
    format!("{weight}, {} left", world.items.left())
}

/// The versions that are kept for elements, and those that are out of memory.
fn kept() -> String {
    let is_waiting = |version: &hotswap::PurgedVersion| {
        let mut holders = version.kept.holders.iter();
        holders.any(|holder| holder.kind == HolderKind::Elements && holder.name.contains("Item"))
    };
    let versions = hotswap::purge().versions;
    let waiting = versions.iter().filter(|version| is_waiting(version));
    let free = versions.iter().filter(|version| version.free);
    let numbers = |versions: Vec<u64>| format!("{versions:?}");
    format!(
        "for elements {}, free {}",
        numbers(waiting.map(|version| version.number).collect()),
        numbers(free.map(|version| version.number).collect())
    )
}
