//! Trait objects in a cell, and a cell inside another static.

use std::io;

use hotswap::{Live, Migrate};

pub trait Act: Send + Sync {
    fn first(&self) -> &'static str;
    fn second(&self) -> &'static str;
}

struct One;

impl Act for One {
    fn first(&self) -> &'static str {
        "first"
    }

    fn second(&self) -> &'static str {
        "second"
    }
}

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    acts: Vec<Box<dyn Act>>,
}

#[derive(Migrate)]
pub struct Inner {
    n: u32,
}

pub struct Held(Live<Inner>);

static WORLD: Live<World> = Live::new(|| World {
    ticks: 0,
    acts: vec![Box::new(One)],
});

static HELD: Held = Held(Live::new(|| Inner { n: 5 }));

fn main() {
    for _ in io::stdin().lines() {
        let old = match WORLD.try_read() {
            Ok(world) => acts(&world),
            Err(error) => format!("{error:?}"),
        };
        println!("{}, old loop {old}", tick());
    }
}

fn acts(world: &World) -> String {
    let acts = world.acts.iter().map(|act| act.first());
    acts.collect::<Vec<_>>().join(" ")
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    let n = HELD.0.read().n;
    format!("tick {} {n} {}", world.ticks, acts(&world))
}
