//! A library with the executable's name, and a cell that is called as one of the executable's.

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
}

static STATE: Live<World> = Live::new(|| World { ticks: 0 });

#[hotswap::entry]
pub fn tick() -> String {
    let mut world = STATE.write();
    world.ticks += 1;
    format!("tick {}", world.ticks)
}
