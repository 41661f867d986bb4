//! Needs a `String` from the helper.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let word: String = helper::word();
    format!("main one, {word}")
}
