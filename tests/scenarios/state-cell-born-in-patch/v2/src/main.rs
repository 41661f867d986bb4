//! A cell that a later version brings.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    hits: u32,
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
    score.hits += 1;
    format!("score {}", score.hits)
}
