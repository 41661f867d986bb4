//! Uses its own library, through an entry here and one there.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}; {}", answer(), answers::direct());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("main one, {}", answers::word())
}
