//! Collects names that the linker puts side by side, one more of them.

use std::io;

use linkme::distributed_slice;

#[distributed_slice]
static NAMES: [&'static str];

#[distributed_slice(NAMES)]
static FIRST: &'static str = "first";

#[distributed_slice(NAMES)]
static SECOND: &'static str = "second";

#[distributed_slice(NAMES)]
static THIRD: &'static str = "third";

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    format!("{}: {}", "three", names.join(", "))
}
