//! A cell whose type goes forth and back, with a function that knows both forms.

use std::io;

use hotswap::{Live, Migrate, Old};

#[derive(Migrate)]
pub struct World {
    hp: u32,
}

#[hotswap::code_change]
fn world(old: &Old<'_>, hp: Option<&u32>, health: Option<&String>) -> Result<World, String> {
    let health = health.and_then(|health| health.parse().ok());
    let hp = hp.copied().or(health).ok_or("no number")?;
    Ok(World {
        hp: hp + u32::from(old.to_version() > 1) * 1000,
    })
}

static WORLD: Live<World> = Live::new(|| World { hp: 1 });

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut world = WORLD.write();
    world.hp += 1;
    format!("{} hp", world.hp)
}
