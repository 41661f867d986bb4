//! Passes a newtype of a float by value, both ways.

use std::io;

struct Metres(f64);

fn main() {
    for line in io::stdin().lines() {
        let metres = Metres(line.unwrap().parse().unwrap());
        let (doubled, same) = double(metres);
        println!("{} and {}", doubled.0, back(same).0);
    }
}

#[hotswap::entry]
fn double(metres: Metres) -> (Metres, Metres) {
    (Metres(metres.0 * 2.0), metres)
}

#[hotswap::entry]
fn back(metres: Metres) -> Metres {
    metres
}
