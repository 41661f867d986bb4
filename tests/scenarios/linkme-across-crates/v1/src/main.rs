use std::io;

#[linkme::distributed_slice(helper::ACTIONS)]
static FIRST: fn() -> String = || "main first".to_owned();

// More.

fn main() {
    plugin::load();
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    helper::all()
}
