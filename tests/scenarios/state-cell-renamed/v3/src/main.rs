//! A cell under a name that edits change.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    points: u32,
}

static OTHER: Live<u32> = Live::new(|| 5);
static SCORE: Live<Score> = Live::new(Score::default);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let other = *OTHER.read();
    let mut score = SCORE.write();
    score.points += 1;
    format!("points {} of {other}", score.points)
}
