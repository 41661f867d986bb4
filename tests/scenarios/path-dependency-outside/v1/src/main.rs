//! Uses a crate that is not hot.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    format!("app one, {}, {count}", outside::word())
}
