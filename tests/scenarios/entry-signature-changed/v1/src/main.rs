//! An entry with one argument.

use std::io;

fn main() {
    for line in io::stdin().lines() {
        let line = line.unwrap();
        println!("{}; {}", answer(&line), relay(&line));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    format!("plain {line}")
}

#[hotswap::entry]
fn relay(line: &str) -> String {
    format!("via relay {}", answer(line))
}
