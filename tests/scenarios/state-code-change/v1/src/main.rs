//! A cell whose values are made anew by functions.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct World {
    name: String,
    ticks: u32,
    players: Vec<Player>,
    mode: Mode,
}

#[derive(Migrate)]
pub struct Player {
    name: String,
    hp: u32,
}

#[derive(Migrate)]
pub enum Mode {
    #[expect(dead_code, reason = "it stands in the type only")]
    Counting(u64),
    Open { by: String },
}

static WORLD: Live<World> = Live::new(|| {
    let player = |name: &str, hp| Player {
        name: name.to_owned(),
        hp,
    };
    World {
        name: "world".to_owned(),
        ticks: 0,
        players: vec![player("Ada Lovelace", 12), player("Alan Turing", 7)],
        mode: Mode::Open {
            by: "Ada".to_owned(),
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
    world.ticks += 1;
    let players = world.players.iter();
    let players: Vec<String> = players.map(|it| format!("{} {}", it.name, it.hp)).collect();
    let mode = match &world.mode {
        Mode::Counting(to) => format!("Counting to {to}"),
        Mode::Open { by } => format!("Open by {by}"),
    };
    format!("{} {}: {}; {mode}", world.name, world.ticks, players.join(", "))
}
