//! Constants in code that entries lead to, and in code that they do not.

use std::io;

const OPEN: &str = "<";
const PAIR: [&str; 2] = [OPEN, ">"];
const WHO: &str = "entry";

fn main() {
    for _ in io::stdin().lines() {
        println!("{} {}", framed("main"), answer());
    }
}

#[inline(never)]
fn framed(what: &str) -> String {
    format!("{}{what}{}", PAIR[0], PAIR[1])
}

#[hotswap::entry]
fn answer() -> String {
    [WHO, "other"].map(|word| format!("[{}]", word)).join(" ")
}
