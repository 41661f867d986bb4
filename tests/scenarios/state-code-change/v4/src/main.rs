//! A cell whose values are made anew by functions.

use std::io;

use hotswap::{Live, Migrate, Old};

#[derive(Migrate)]
pub struct World {
    ticks: u32,
    players: Vec<Player>,
    mode: Mode,
}

#[derive(Migrate)]
pub struct Player {
    name: String,
    health: u64,
    mark: char,
}

#[derive(Migrate)]
pub struct Seen {
    from: u64,
    to: u64,
}

#[derive(Migrate)]
pub enum Mode {
    By { name: String, seen: Seen },
}

#[hotswap::code_change]
fn player(
    _old: &Old<'_>,
    name: Option<&String>,
    hp: Option<&u32>,
    first: Option<&String>,
    last: Option<&String>,
    health: Option<&u64>,
) -> Result<Player, &'static str> {
    let parts = first.zip(last);
    let name = name.cloned();
    let health = health.copied();
    Ok(Player {
        name: name.or_else(|| parts.map(|(first, last)| format!("{first} {last}"))).ok_or("no name")?,
        health: health.or_else(|| hp.map(|hp| u64::from(*hp) * 10)).ok_or("no health")?,
        mark: '!',
    })
}

/// What a player was before.
struct Parts {
    first: String,
    last: String,
    health: u64,
}

#[hotswap::code_change(down)]
fn parts(old: &Old<'_>, player: &Player) -> Result<Parts, String> {
    let (first, last) = player.name.split_once(' ').ok_or("a name of one word")?;
    Ok(Parts {
        first: first.to_owned(),
        last: format!("{last} (from {} to {})", old.from_version(), old.to_version()),
        health: player.health,
    })
}

#[hotswap::code_change]
pub fn mode(
    old: &Old<'_>,
    #[field("Open.by")] by: Option<&String>,
    #[field("Counting.0")] number: Option<&u64>,
) -> Mode {
    assert_eq!(old.variant(), Some("Open"));
    assert_eq!(number, None);
    Mode::By {
        name: by.cloned().unwrap_or_default(),
        seen: Seen {
            from: old.from_version(),
            to: old.to_version(),
        },
    }
}

static WORLD: Live<World> = Live::new(|| World {
    ticks: 0,
    players: Vec::new(),
    mode: Mode::By {
        name: String::new(),
        seen: Seen { from: 0, to: 0 },
    },
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
    let players = players.map(|it| format!("{} {}{}", it.name, it.health, it.mark));
    let Mode::By { name, seen } = &world.mode;
    let mode = format!("{name} from {} to {}", seen.from, seen.to);
    let players: Vec<String> = players.collect();
    format!("({}): {}; {mode}", world.ticks, players.join(", "))
}
