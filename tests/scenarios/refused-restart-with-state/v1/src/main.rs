//! Counts in cells and in a plain static.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hotswap::{Live, Migrate};
use serde::{Deserialize, Serialize};

#[derive(Migrate, Default, Serialize, Deserialize)]
pub struct World {
    ticks: u64,
}

static WORLD: Live<World> = Live::saved(World::default);
static OPEN: Live<u32> = Live::new(u32::default);
static CALLS: AtomicU32 = AtomicU32::new(0);
static OTHER: AtomicU64 = AtomicU64::new(0);
static THIRD: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    *OPEN.write() += 1;
    CALLS.fetch_add(1, Ordering::Relaxed);
    OTHER.fetch_add(1, Ordering::Relaxed);
    THIRD.fetch_add(1, Ordering::Relaxed);
    format!("{}, {} open", world.ticks, OPEN.read())
}
