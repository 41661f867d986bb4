//! Has names that need care.

#[path = "mit leerzeichen.rs"]
mod wörter;

use std::io;

fn main() {
    for name in io::stdin().lines() {
        println!("{}", grüße(&name.unwrap()));
    }
}

#[hotswap::entry]
fn grüße(name: &str) -> String {
    format!("Grüße, {name}, von {}!", wörter::zahl())
}
