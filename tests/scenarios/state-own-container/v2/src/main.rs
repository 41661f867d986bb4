//! A cell with containers that are not in the standard library: one of the program's own, and `slab`'s.

use std::io;

use hotswap::{Container, Live, Migrate};
use slab::Slab;

#[derive(Migrate)]
#[migrate(container(T))]
struct Slots<T>(Slab<T>);

impl<T> Container for Slots<T> {
    type Element = T;
    type Of<E> = Slots<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0.iter_mut().map(|(key, element)| (key as u64, element))
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, _rest: &[u64]) -> Self {
        Self(elements.map(|(key, element)| (key as usize, element)).collect())
    }
}

/// Elements in a ring, of which the first is at `start`.
#[derive(Migrate)]
#[migrate(container(T))]
struct Ring<T> {
    all: std::collections::VecDeque<T>,
}

impl<T> Container for Ring<T> {
    type Element = T;
    type Of<E> = Ring<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.all.iter_mut().map(|element| (0, element))
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, rest: &[u64]) -> Self {
        let mut all: std::collections::VecDeque<T> = elements.map(|(_, element)| element).collect();
        // What an older version told.
        all.rotate_left(rest.first().map_or(0, |start| *start as usize));
        Self { all }
    }
}

#[derive(Migrate)]
struct World {
    rooms: Slots<Room>,
    turns: Ring<String>,
}

#[derive(Migrate)]
struct Room {
    #[migrate(default = 4)]
    doors: u8,
    name: String,
}

static WORLD: Live<World> = Live::new(|| {
    let room = |name: &str| Room {
        name: name.to_owned(),
        doors: 1,
    };
    let mut rooms = Slab::from_iter([(0, room("hall")), (1, room("attic")), (2, room("cellar"))]);
    rooms.remove(1);
    World {
        rooms: Slots(rooms),
        turns: Ring {
            all: ["Ada", "Alan", "Grace"].map(str::to_owned).into(),
        },
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
    let ring = &mut world.turns;
    let turn = ring.all[0].clone();
    ring.all.rotate_left(1);
    let rooms: Vec<String> = world.rooms.0.iter().map(|(key, it)| format!("{key} {} {}", it.name, it.doors)).collect();
    format!("{}; {turn}", rooms.join(", "))
}
