//! Calls two entries.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}, {}", first(), second());
    }
}

#[hotswap::entry]
fn first() -> String {
    "first three".to_owned()
}

#[hotswap::entry]
fn second() -> String {
    "second three".to_owned()
}
