//! A cell that holds a value of another crate's type, which does not say how it changes.

use std::collections::BTreeMap;
use std::io;

use hotswap::{Live, Migrate};
use things::Purse;

#[derive(Migrate)]
pub struct World {
    all: BTreeMap<String, Person>,
}

#[derive(Migrate)]
pub struct Person {
    purse: Purse<u32>,
}

static WORLD: Live<World> = Live::new(|| {
    let person = |name: &str, coins| (name.to_owned(), Person { purse: Purse::new(coins) });
    World {
        all: BTreeMap::from([person("Ada", vec![1, 2, 5]), person("Alan", vec![])]),
    }
});

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let world = WORLD.read();
    let all = world.all.iter();
    let all: Vec<String> = all.map(|(name, it)| format!("{name} {}", it.purse.show())).collect();
    all.join(", ")
}
