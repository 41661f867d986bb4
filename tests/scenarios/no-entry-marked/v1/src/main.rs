//! Has the dependency and no entry.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

fn answer() -> String {
    "one".to_owned()
}
