//! Calls C through two crates.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("{}native {}, {}, {}", "one, ", native_one::count(), native_one::name(), native_two::name())
}
