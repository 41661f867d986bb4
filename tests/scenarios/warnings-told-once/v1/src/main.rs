//! A program with a warning of its own.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let word = "one";
    word.to_owned()
}

fn never_called() {}
