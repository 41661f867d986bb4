//! Reads a slice with elements of a crate that is not hot.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("one: {}{}", helper::all(), outside::mark())
}
