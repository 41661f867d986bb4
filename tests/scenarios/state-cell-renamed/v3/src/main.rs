//! A cell under a name that edits change.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    points: u32,
}

static CALLS: AtomicU32 = AtomicU32::new(0);
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
    CALLS.fetch_add(1, Ordering::Relaxed);
    let mut score = SCORE.write();
    score.points += 1;
    format!("points {} of {other}", score.points)
}
