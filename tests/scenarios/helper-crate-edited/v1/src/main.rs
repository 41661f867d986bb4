//! Calls a helper crate from an entry.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("main one, {}", helper::word())
}
