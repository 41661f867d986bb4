//! Lends a value to an entry.

use std::io;

struct World {
    count: u32,
}

fn main() {
    let mut world = World { count: 0 };
    for _ in io::stdin().lines() {
        println!("{}", answer(&mut world));
    }
}

#[hotswap::entry]
fn answer(world: &mut World) -> String {
    world.count += 1;
    format!("{} {}", "one", world.count)
}
