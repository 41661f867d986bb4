//! State in cells that are saved, and in others.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use hotswap::{Live, Migrate};
use serde::{Deserialize, Serialize};

#[derive(Migrate, Serialize, Deserialize)]
pub struct Item {
    name: String,
    weight: u32,
}

#[derive(Migrate, Serialize, Deserialize)]
pub struct World {
    ticks: u64,
    items: Vec<Item>,
    by_place: HashMap<(u8, u8), String>,
    unknown: f64,
}

static WORLD: Live<World> = Live::saved(World::new);
static LOG: Live<Vec<u64>> = Live::saved(Vec::new);
static SECRETS: Live<u32> = Live::new(u32::default);
static UNUSED: Live<u32> = Live::saved(|| panic!("nobody uses it"));
static GIVEN: Live<String> = Live::saved(|| "given in version 1".to_owned());
static CALLS: AtomicU32 = AtomicU32::new(0);

impl World {
    fn new() -> Self {
        let item = Item {
            name: "sword".to_owned(),
            weight: 3,
        };
        Self {
            ticks: 0,
            items: vec![item],
            by_place: HashMap::from([((1, 2), "key".to_owned())]),
            unknown: f64::NAN,
        }
    }
}

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "again" => println!("asked: {}", hotswap::restart().is_ok()),
            "given" => println!("{}", *GIVEN.read()),
            "unused" => println!("{}", *UNUSED.read()),
            _ => println!("{}", tick()),
        }
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    LOG.write().push(world.ticks);
    *SECRETS.write() += 1;
    drop(GIVEN.read());
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let item = &world.items[0];
    let (place, key) = world.by_place.iter().next().unwrap();
    format!(
        "{}: {} {}, {key} {place:?}, {}; {} of {}; {} secret",
        world.ticks,
        item.name,
        item.weight,
        world.unknown,
        LOG.read().len(),
        calls,
        SECRETS.read()
    )
}
