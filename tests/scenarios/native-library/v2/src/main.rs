//! Calls C through two crates, and what nobody called before.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!(
        "{}native {}, {}, {}, {} seldom",
        "three, ",
        native_one::count(),
        native_one::name(),
        native_two::name(),
        native_one::seldom(),
    )
}
