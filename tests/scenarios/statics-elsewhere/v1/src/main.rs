//! Statics that become new, in code that stays as it is.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

mod names;

static COUNT: AtomicU32 = AtomicU32::new(10);

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "count" => println!("{}", count()),
            "greet" => println!("{}", greet()),
            name => println!("{}", names::remember(name.to_owned())),
        }
    }
}

#[hotswap::entry]
fn count() -> u32 {
    COUNT.fetch_add(1, Ordering::Relaxed) + 1
}

#[hotswap::entry]
fn greet() -> String {
    "hello".to_owned()
}
