//! Calls one entry.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", first());
    }
}

#[hotswap::entry]
fn first() -> String {
    "first two".to_owned()
}
