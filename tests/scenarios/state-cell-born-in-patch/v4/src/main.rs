//! A cell that a later version brings.

use std::io;

use hotswap::Migrate;

#[derive(Migrate, Default)]
pub struct Score {
    pub hits: u32,
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    "none any more".to_owned()
}
