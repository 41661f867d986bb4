//! Is built by others too.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    "one".to_owned()
}
