//! Keeps anything, and nothing yet.

use std::{any::Any, io, sync::Mutex};

static KEPT: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let kept = KEPT.lock().unwrap();
    match kept.as_ref() {
        Some(_) => format!("some for {line}"),
        None => "none".to_owned(),
    }
}
