//! A loop of the first version that uses a cell itself, beside an entry that does.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
}

static WORLD: Live<World> = Live::new(|| World { ticks: 0 });

fn main() {
    let mut lines = io::stdin().lines();
    while let Some(line) = lines.next() {
        match line.as_deref() {
            Ok("held") => {
                let world = WORLD.read();
                println!("held {}", world.ticks);
                let _ = lines.next();
                println!("still {}", world.ticks);
            }
            Ok("panic") => {
                let caught = std::panic::catch_unwind(|| WORLD.read().ticks);
                println!("panicked {}", caught.is_err());
            }
            _ => {
                let old = match WORLD.try_read() {
                    Ok(world) => world.ticks.to_string(),
                    Err(error) => format!("{error:?}"),
                };
                println!("{}, old loop {old}", tick());
            }
        }
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.ticks += 1;
    format!("tick {}", world.ticks)
}
