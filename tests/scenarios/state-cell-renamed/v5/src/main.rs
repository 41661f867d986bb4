//! A cell under a name that edits change.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate, Default)]
pub struct Score {
    points: u32,
    #[migrate(default = 100)]
    bonus: u32,
}

mod kept {
    use std::sync::atomic::AtomicU32;

    use hotswap::{Live, hotswap};

    pub static ANOTHER: Live<u32> = Live::new(|| 6);

    #[hotswap(keep)]
    pub static TICKS: AtomicU32 = AtomicU32::new(10);
}

#[hotswap::hotswap(was = "RESULT")]
static TOTAL: Live<Score> = Live::new(Score::default);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    let other = *kept::ANOTHER.read();
    let calls = 1 + kept::TICKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut score = TOTAL.write();
    score.points += 1;
    let Score { points, bonus } = *score;
    format!("points {points} and {bonus} of {other}, calls {calls}")
}
