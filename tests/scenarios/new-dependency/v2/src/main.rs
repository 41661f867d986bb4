//! Depends on a crate of the registry.

use std::io;

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(line.unwrap().parse().unwrap()));
    }
}

#[hotswap::entry]
fn answer(number: u32) -> String {
    let mut buffer = itoa::Buffer::new();
    format!("{} {} by itoa", "two", buffer.format(number))
}
