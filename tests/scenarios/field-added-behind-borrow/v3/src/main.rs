//! A loop that owns a world and lends it to an entry.

use std::io;

pub struct World {
    pub ticks: u64,
}

fn main() {
    let mut world = World { ticks: 0 };
    for _ in io::stdin().lines() {
        println!("{}", tick(&mut world));
    }
}

#[hotswap::entry]
fn tick(world: &mut World) -> String {
    world.ticks += 1;
    format!("tock {}", world.ticks)
}
