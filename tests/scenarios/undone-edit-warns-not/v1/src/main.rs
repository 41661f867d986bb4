//! A struct that lives on the stack of `main`.

use std::io;

struct Room {
    count: u32,
}

fn main() {
    let mut room = Room { count: 0 };
    for _ in io::stdin().lines() {
        println!("{}", enter(&mut room));
    }
}

#[hotswap::entry]
fn enter(room: &mut Room) -> String {
    room.count += 1;
    format!("one {}", room.count)
}
