//! A cell that holds a value of another crate's type, which does not say how it changes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, RwLock, Weak};

use hotswap::{Live, Migrate, Old};
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
    locked: Arc<Mutex<Purse<u32>>>,
    same: Weak<Mutex<Purse<u32>>>,
    read: RwLock<Purse<u32>>,
}

/// It sees fields that the library keeps to itself, since it makes what they become.
#[hotswap::code_change]
fn purse(_old: &Old<'_>, coins: &Vec<u32>, mark: &&'static str) -> Purse<u32> {
    assert_eq!(*mark, "¤");
    Purse::new(coins.clone())
}

impl Person {
    fn new(coins: Vec<u32>) -> Self {
        let spare = coins.iter().skip(1).map(|coin| Purse::new(vec![*coin, 7]));
        let locked = Arc::new(Mutex::new(Purse::new(coins.clone())));
        Self {
            same: Arc::downgrade(&locked),
            locked,
            read: RwLock::new(Purse::new(vec![coins.len() as u32])),
            spare: spare.collect(),
            one: coins.first().map(|coin| Purse::new(vec![*coin])),
            lent: BTreeMap::from([(1, (coins.iter().map(|coin| Purse::new(vec![*coin])).take(1).collect(), 3))]),
            purse: Purse::new(coins),
        }
    }

    fn show(&self) -> String {
        let lent = self.lent.values().flat_map(|(all, _)| all);
        let all = [&self.purse].into_iter().chain(&self.spare).chain(&self.one).chain(lent);
        let mut all: Vec<String> = all.map(Purse::show).collect();
        let same = self.same.upgrade().expect("somebody has it");
        assert!(Arc::ptr_eq(&same, &self.locked));
        all.push(same.lock().unwrap().show());
        all.push(self.read.read().unwrap().show());
        all.join(" + ")
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
