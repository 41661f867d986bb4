//! Edited functions that are inlined, generic, and full of closures.

use std::{fmt::Display, io};

fn main() {
    for _ in io::stdin().lines() {
        println!("{} {}", announced("main one"), answer());
    }
}

fn announced<T: Display>(what: T) -> String {
    format!("says {what}")
}

#[hotswap::entry]
fn answer() -> String {
    let words = ["entry", "one"];
    let lengths: usize = words.iter().map(|word| length(word)).filter(|length| *length > 1).sum();
    shown(lengths) + words.iter().flat_map(|word| word.chars().rev()).collect::<String>().as_str()
}

fn length(word: &str) -> usize {
    word.len() * 10
}

fn shown<T: Display>(what: T) -> String {
    format!("{what} ")
}
