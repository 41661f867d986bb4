//! Greets once a second.
//!
//! Start it with `cargo hotswap run -p greeter`, edit "Hello" to "Howdy" and save: the next line
//! is new, the process and its count are the same.

use std::{thread, time::Duration};

fn main() {
    // `main` never returns, so it stays as it was when the program started. What shall change
    // while it runs must lie behind an entry.
    for count in 1_u64.. {
        println!("{}", greet("Alice", count));
        thread::sleep(Duration::from_secs(1));
    }
}

/// The entry: each call runs the newest version, with all that it calls.
#[hotswap::entry]
fn greet(name: &str, count: u64) -> String {
    format!("Hello, {name}! ({})", times(count))
}

/// No entry, and new all the same: `greet` of the newest version calls its own `times`.
fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}
