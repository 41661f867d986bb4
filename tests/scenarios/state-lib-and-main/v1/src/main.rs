//! Lends what a cell holds to an entry, and keeps a value of the same type for itself.

use std::io;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct Count {
    lines: u32,
}

pub struct NoDefault(#[expect(dead_code, reason = "only its size counts")] u32);

static STATE: Live<Count> = Live::new(|| Count { lines: 0 });

fn main() {
    let mut own = Count { lines: 0 };
    for _ in io::stdin().lines() {
        let kept = count(&mut own);
        println!("{}, {}, kept {kept}", state_lib_and_main::tick(), lines());
    }
}

#[hotswap::entry]
fn lines() -> String {
    count(&mut STATE.write())
}

#[hotswap::entry]
fn count(count: &mut Count) -> String {
    count.lines += 1;
    format!("line {}", count.lines)
}
