//! Collects plugins that register themselves.

use std::io;

struct Plugin(&'static str);

inventory::collect!(Plugin);

inventory::submit!(Plugin("first"));
inventory::submit!(Plugin("second"));

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let mut names: Vec<_> = inventory::iter::<Plugin>().map(|plugin| plugin.0).collect();
    names.sort_unstable();
    format!("{}: {}", "one", names.join(", "))
}
