//! Uses a library that a cache may have compiled.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("main one, {}", compiler_cache::word())
}
