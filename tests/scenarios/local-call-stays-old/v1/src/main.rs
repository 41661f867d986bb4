//! A loop that makes a local and a qualified call.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}, {}", local(), qualified());
    }
}

fn local() -> String {
    format!("local {}", word())
}

#[hotswap::entry]
fn qualified() -> String {
    format!("qualified {}", word())
}

fn word() -> &'static str {
    "one"
}
