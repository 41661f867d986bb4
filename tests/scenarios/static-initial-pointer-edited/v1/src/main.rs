//! Remembers the last line, by leaking it.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

static LABEL: Mutex<&'static str> = Mutex::new("first");
static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", remember(line.unwrap()));
    }
}

#[hotswap::entry]
fn remember(line: String) -> String {
    let before = std::mem::replace(&mut *LABEL.lock().unwrap(), line.leak());
    format!("was {before}, count {}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
