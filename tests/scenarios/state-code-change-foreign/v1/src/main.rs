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
    spare: Vec<Purse<u32>>,
    one: Option<Purse<u32>>,
    lent: BTreeMap<u8, (Vec<Purse<u32>>, u16)>,
}

impl Person {
    fn new(coins: Vec<u32>) -> Self {
        let spare = coins.iter().skip(1).map(|coin| Purse::new(vec![*coin, 7]));
        Self {
            spare: spare.collect(),
            one: coins.first().map(|coin| Purse::new(vec![*coin])),
            lent: BTreeMap::from([(1, (coins.iter().map(|coin| Purse::new(vec![*coin])).take(1).collect(), 3))]),
            purse: Purse::new(coins),
        }
    }

    fn show(&self) -> String {
        let lent = self.lent.values().flat_map(|(all, _)| all);
        let all = [&self.purse].into_iter().chain(&self.spare).chain(&self.one).chain(lent);
        all.map(Purse::show).collect::<Vec<_>>().join(" + ")
    }
}

static WORLD: Live<World> = Live::new(|| {
    let person = |name: &str, coins| (name.to_owned(), Person::new(coins));
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
    let all: Vec<String> = all.map(|(name, it)| format!("{name} {}", it.show())).collect();
    all.join(", ")
}
