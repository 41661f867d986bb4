//! Two cells that share a value, one of which holds what can't always be converted.

use std::io;
use std::sync::Arc;

use hotswap::{Live, Migrate};

#[derive(Migrate)]
pub struct Item {
    name: String,
    size: u64,
}

#[derive(Migrate)]
pub struct First {
    ticks: u32,
    item: Arc<Item>,
}

#[derive(Migrate)]
pub struct Second {
    #[migrate(was = "text", with = number)]
    number: u32,
    item: Arc<Item>,
    noise: Option<Noise>,
}

pub struct Noise;

impl Drop for Noise {
    fn drop(&mut self) {
        println!("noise dropped");
    }
}

static FIRST: Live<First> = Live::new(|| First {
    ticks: 0,
    item: Arc::new(Item {
        name: "one".to_owned(),
        size: 7,
    }),
});

static SECOND: Live<Second> = Live::new(|| Second {
    number: 0,
    item: Arc::clone(&FIRST.read().item),
    noise: Some(Noise),
});

fn number(text: &String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

fn main() {
    for line in io::stdin().lines() {
        let now = tick(&line.unwrap_or_default());
        let old = FIRST.try_read().map(|first| first.ticks);
        println!("{now}, old loop {old:?}");
    }
}

#[hotswap::entry]
fn tick(line: &str) -> String {
    let mut second = SECOND.write();
    let mut first = FIRST.write();
    first.ticks += 1;
    second.number += line.len() as u32;
    let one = Arc::ptr_eq(&first.item, &second.item);
    format!(
        "{} {} {} {} {one}",
        first.ticks, second.number, first.item.name, first.item.size
    )
}
