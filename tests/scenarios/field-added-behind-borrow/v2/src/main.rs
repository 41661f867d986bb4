//! A loop that owns a larger world and lends it to an entry.

use std::io;

pub struct World {
    pub energy: u64,
    pub ticks: u64,
}

fn main() {
    let mut world = World { energy: 0, ticks: 0 };
    for _ in io::stdin().lines() {
        println!("{}", tick(&mut world));
    }
}

#[hotswap::entry]
fn tick(world: &mut World) -> String {
    world.energy += 2;
    world.ticks += 1;
    format!("tick {} with {}", world.ticks, world.energy)
}
