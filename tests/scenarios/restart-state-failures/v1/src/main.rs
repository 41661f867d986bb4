//! A cell that is saved, and others that can't be.

use std::io;

use hotswap::{Live, Migrate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Migrate, Default, Serialize, Deserialize)]
pub struct Failing {
    parts: Vec<Part>,
}

#[derive(Migrate, Deserialize)]
pub struct Part(u32);

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_u32(0),
            _ => Err(serde::ser::Error::custom("no such part")),
        }
    }
}

#[derive(Migrate, Default)]
pub struct Shy(u32);

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("it is shy")
    }
}

impl<'de> Deserialize<'de> for Shy {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self(0))
    }
}

static GOOD: Live<u32> = Live::saved(u32::default);
static FAILING: Live<Failing> = Live::saved(|| Failing {
    parts: vec![Part(0), Part(1)],
});
static PANICKING: Live<Shy> = Live::saved(Shy::default);
static HELD: Live<u32> = Live::saved(u32::default);

fn main() {
    // Restarts find it held, and end soon.
    let mut limits = hotswap::SwapLimits::default();
    limits.guards = std::time::Duration::from_millis(200);
    hotswap::set_swap_limits(limits);
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "hold" => {
                std::mem::forget(HELD.write());
                println!("held");
            }
            _ => println!("{}", tick()),
        }
    }
}

#[hotswap::entry]
fn tick() -> String {
    drop((FAILING.read(), PANICKING.read()));
    let mut good = GOOD.write();
    *good += 1;
    format!("good {good}")
}
