//! Is compiled with flags of its own.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let manner = if cfg!(loud) { "loudly" } else { "quietly" };
    format!("{}, told {manner}", "one")
}
