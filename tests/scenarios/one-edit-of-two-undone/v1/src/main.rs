//! Two entries in modules of their own.

use std::io;

mod left;
mod right;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}, {}", left::word(), right::word());
    }
}
