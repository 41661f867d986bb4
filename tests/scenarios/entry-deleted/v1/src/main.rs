//! Calls two entries.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}, {}", first(), second());
    }
}

#[hotswap::entry]
fn first() -> String {
    "first one".to_owned()
}

#[hotswap::entry]
fn second() -> String {
    "second one".to_owned()
}
