//! Depends on nothing.

use std::io;

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(line.unwrap().parse().unwrap()));
    }
}

#[hotswap::entry]
fn answer(number: u32) -> String {
    format!("one {number}")
}
