//! State in cells that are saved, and in others.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use hotswap::{Live, Migrate};
use serde::{Deserialize, Serialize};

#[derive(Migrate, Serialize, Deserialize)]
pub struct Item {
    name: String,
    #[serde(alias = "weight")]
    #[migrate(was = "weight")]
    heft: u32,
    #[serde(default = "seven")]
    #[migrate(default = 7)]
    worth: u32,
}

#[derive(Migrate, Serialize, Deserialize)]
pub struct World {
    ticks: u64,
    items: Vec<Item>,
    by_place: HashMap<(u8, u8), String>,
    unknown: f64,
}

static WORLD: Live<World> = Live::saved(World::new);
// Renamed in the edit that asks for the restart.
#[hotswap::hotswap(was = "LOG")]
static JOURNAL: Live<Vec<u64>> = Live::saved(Vec::new);
static SECRETS: Live<u32> = Live::new(u32::default);
static UNUSED: Live<u32> = Live::saved(|| panic!("nobody uses it"));
static GIVEN: Live<String> = Live::saved(|| "given in version 2".to_owned());
static CALLS: AtomicU64 = AtomicU64::new(0);

fn seven() -> u32 {
    7
}

impl World {
    fn new() -> Self {
        let item = Item {
            name: "sword".to_owned(),
            heft: 3,
            worth: 1,
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
    JOURNAL.write().push(world.ticks);
    *SECRETS.write() += 1;
    drop(GIVEN.read());
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let item = &world.items[0];
    let (place, key) = world.by_place.iter().next().unwrap();
    format!(
        "{}: {} {} of {}, {key} {place:?}, {}; {} at {}; {} secret",
        world.ticks,
        item.name,
        item.heft,
        item.worth,
        world.unknown,
        JOURNAL.read().len(),
        calls,
        SECRETS.read()
    )
}
