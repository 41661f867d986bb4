//! A cell that a later version brings.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    #[migrate(was = "hits")]
    count: u32,
    names: Vec<String>,
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
    score.count += 1;
    score.names.push("hit".to_owned());
    format!("score {} {:?}", score.count, score.names)
}
