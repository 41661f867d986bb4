//! Has the upstream crate's code inlined.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    [
        upstream::generic(7_u16),
        upstream::inline(),
        format!("const {}", upstream::CONST),
        upstream::word!(),
        upstream::with(|word| format!("closure {word}")),
    ]
    .join(", ")
}
