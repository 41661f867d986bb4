//! Greets whoever is named.

use std::io;

fn main() {
    for name in io::stdin().lines() {
        println!("{}", greet(&name.unwrap()));
    }
}

#[hotswap::entry]
fn greet(name: &str) -> String {
    format!("Howdy, {name}!")
}
