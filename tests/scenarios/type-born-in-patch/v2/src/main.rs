//! Keeps a type of its own.

use std::{any::Any, io, sync::Mutex};

static KEPT: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

struct Born {
    number: u32,
}

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let mut kept = KEPT.lock().unwrap();
    if line == "make" {
        *kept = Some(Box::new(Born { number: 77 }));
    }
    let born = kept.as_ref().and_then(|kept| kept.downcast_ref::<Born>());
    born.map_or("lost".to_owned(), |born| format!("found {}", born.number))
}
