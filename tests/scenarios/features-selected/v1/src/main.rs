//! Answers in capitals if told to.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let word = "one";
    let word = if cfg!(feature = "loud") { word.to_uppercase() } else { word.to_owned() };
    let mode = if cfg!(feature = "quiet") { "quiet" } else { "loud" };
    format!("{word} {mode}")
}
