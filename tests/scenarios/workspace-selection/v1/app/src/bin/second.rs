//! Is run, with arguments.

use std::{env, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer(env::args().skip(1).collect()));
    }
}

#[hotswap::entry]
fn answer(arguments: Vec<String>) -> String {
    format!("second one: {}", arguments.join(", "))
}
