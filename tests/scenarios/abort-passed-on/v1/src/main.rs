//! Aborts when told to.

use std::{io, process};

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    if line == "abort" {
        process::abort();
    }
    "one".to_owned()
}
