//! Counts in a library and here, under the same names.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static PRIVATE: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let private = state::private();
    let public = state::PUBLIC.fetch_add(1, Ordering::Relaxed) + 1;
    let here = PRIVATE.fetch_add(1, Ordering::Relaxed) + 1;
    let (inline, nested) = (state::inline(), state::nested::<u8>());
    format!("{private}, public {public}, inline {inline}, nested {nested}, main {here}")
}
