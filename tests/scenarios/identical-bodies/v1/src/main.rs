//! Two entries with one text.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("first {}, second {}", first(), second());
    }
}

#[hotswap::entry]
fn first() -> String {
    "same".to_owned()
}

#[hotswap::entry]
fn second() -> String {
    "same".to_owned()
}
