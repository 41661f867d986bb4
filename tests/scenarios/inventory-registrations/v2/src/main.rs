//! Collects plugins that register themselves, one more of them.

use std::io;

struct Plugin(&'static str);

inventory::collect!(Plugin);

inventory::submit!(Plugin("first"));
inventory::submit!(Plugin("second"));
inventory::submit!(Plugin("third"));

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let mut names: Vec<_> = inventory::iter::<Plugin>().map(|plugin| plugin.0).collect();
    names.sort_unstable();
    format!("{}: {}", "three", names.join(", "))
}
