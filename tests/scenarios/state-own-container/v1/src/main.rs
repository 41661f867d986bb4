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
    all: Vec<T>,
    start: usize,
}

impl<T> Container for Ring<T> {
    type Element = T;
    type Of<E> = Ring<E>;

    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.all.iter_mut().map(|element| (0, element))
    }

    fn rest(&self) -> Vec<u64> {
        vec![self.start as u64]
    }

    fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, rest: &[u64]) -> Self {
        Self {
            all: elements.map(|(_, element)| element).collect(),
            start: rest.first().map_or(0, |start| *start as usize),
        }
    }
}

#[derive(Migrate)]
struct World {
    rooms: Slots<Room>,
    turns: Ring<String>,
}

#[derive(Migrate)]
struct Room {
    name: String,
}

static WORLD: Live<World> = Live::new(|| {
    let room = |name: &str| Room {
        name: name.to_owned(),
    };
    let mut rooms = Slab::from_iter([(0, room("hall")), (1, room("attic")), (2, room("cellar"))]);
    rooms.remove(1);
    World {
        rooms: Slots(rooms),
        turns: Ring {
            all: ["Ada", "Alan", "Grace"].map(str::to_owned).into(),
            start: 1,
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
    let turn = ring.all[ring.start].clone();
    ring.start = (ring.start + 1) % ring.all.len();
    let rooms: Vec<String> = world.rooms.0.iter().map(|(key, it)| format!("{key} {}", it.name)).collect();
    format!("{}; {turn}", rooms.join(", "))
}
