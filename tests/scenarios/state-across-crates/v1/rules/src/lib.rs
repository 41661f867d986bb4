//! Uses the state of another crate through a third.

use world::{WORLD, World};

#[hotswap::entry]
pub fn step() -> u64 {
    access::with(&WORLD, |world| {
        world.ticks += 1;
        lengthen(world);
        world.ticks
    })
}

fn lengthen(world: &mut World) {
    for place in &mut world.places {
        place.what.push(0);
    }
}

#[hotswap::entry]
pub fn shown() -> String {
    let world = WORLD.read();
    let places = world.places.iter();
    let places = places.map(|place| format!("{} {:?}", place.name, place.what));
    places.collect::<Vec<_>>().join(", ")
}
