//! A cell under a name that edits change.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    points: u32,
}

static SCORE: Live<Score> = Live::new(Score::default);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let mut score = SCORE.write();
    score.points += 1;
    format!("points {}", score.points)
}
