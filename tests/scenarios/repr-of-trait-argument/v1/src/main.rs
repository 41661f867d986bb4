//! Keeps a trait object whose method takes and gives a newtype of a float by value.

use std::{
    io,
    sync::{LazyLock, Mutex},
};

static KEPT: LazyLock<Mutex<Box<dyn Measure + Send>>> =
    LazyLock::new(|| Mutex::new(Box::new(Tripled)));

struct Metres(f64);

trait Measure {
    fn get(&self, metres: Metres) -> Metres;
}

struct Tripled;

impl Measure for Tripled {
    fn get(&self, metres: Metres) -> Metres {
        Metres(metres.0 * 3.0)
    }
}

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let metres = Metres(line.parse().unwrap());
    format!("one {}", KEPT.lock().unwrap().get(metres).0)
}
