//! A world in a cell, with values in containers and behind pointers.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct Item {
    name: String,
    #[migrate(was = "weight", with = grams)]
    grams: u64,
    #[migrate(default = 10)]
    worth: u32,
}

#[derive(Migrate)]
pub enum Mood {
    Happy(u8),
    Calm,
    #[migrate(was = "Angry", with = furious)]
    Furious(Vec<String>),
}

#[derive(Migrate)]
pub struct World {
    #[migrate(was = "ticks")]
    rounds: u64,
    names: Vec<String>,
    items: Vec<Item>,
    by_key: HashMap<u8, Item>,
    shared: [Arc<Item>; 2],
    moods: Vec<Option<Mood>>,
}

static WORLD: Live<World> = Live::new(World::new);

fn furious(at: &String) -> Mood {
    Mood::Furious(vec![at.clone(), "all".to_owned()])
}

fn grams(pounds: &u32) -> Result<u64, String> {
    Ok(u64::from(*pounds) * 500)
}

impl Item {
    fn new(name: &str, weight: u32) -> Self {
        let name = name.to_owned();
        Self {
            name,
            grams: u64::from(weight) * 500,
            worth: 1,
        }
    }

    fn shown(&self) -> String {
        format!("{} {} of {}", self.name, self.grams, self.worth)
    }
}

impl Mood {
    fn shown(&self) -> String {
        match self {
            Self::Happy(_) => "happy".to_owned(),
            Self::Calm => "calm".to_owned(),
            Self::Furious(at) => format!("furious at {}", at.join(" and ")),
        }
    }
}

impl World {
    fn new() -> Self {
        let lamp = Arc::new(Item::new("lamp", 5));
        let at = "fate".to_owned();
        Self {
            rounds: 0,
            names: Vec::new(),
            items: vec![Item::new("sword", 3), Item::new("rope", 1)],
            by_key: HashMap::from([(7, Item::new("key", 2))]),
            shared: [Arc::clone(&lamp), lamp],
            moods: vec![Some(Mood::Calm), None, Some(Mood::Furious(vec![at]))],
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
    world.rounds += 1;
    let name = format!("n{}", world.rounds);
    world.names.push(name);
    shown(&world)
}

#[hotswap::entry]
fn shown(world: &World) -> String {
    let mut words: Vec<String> = world.items.iter().map(Item::shown).collect();
    words.extend(world.by_key.get(&7).map(Item::shown));
    words.push(world.shared[1].shown());
    words.extend(world.moods.iter().flatten().map(Mood::shown));
    let one = Arc::ptr_eq(&world.shared[0], &world.shared[1]);
    let (rounds, names) = (world.rounds, world.names.len());
    format!("{rounds} ({names}): {}; one {one}", words.join(", "))
}
