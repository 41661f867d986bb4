//! Reads in one module what others declare and register.

use std::io;

mod elements;
mod slice;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let mut names = slice::NAMES.to_vec();
    names.sort_unstable();
    names.join(", ")
}
