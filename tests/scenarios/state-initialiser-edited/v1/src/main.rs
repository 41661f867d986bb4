//! Cells whose first values are made by functions that are edited.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct Made {
    by: u8,
}

#[unsafe(no_mangle)]
fn plain_symbol() -> Made {
    Made { by: 1 }
}

static USED: Live<Made> = Live::new(plain_symbol);

static UNUSED: Live<Made> = Live::new(|| Made { by: 1 });

fn main() {
    for line in io::stdin().lines() {
        println!("{}", made(&line.unwrap_or_default()));
    }
}

#[hotswap::entry]
fn made(which: &str) -> String {
    let made = if which == "used" { &USED } else { &UNUSED };
    format!("made by {}", made.read().by)
}
