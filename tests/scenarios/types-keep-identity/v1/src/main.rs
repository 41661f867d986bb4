//! Keeps a value as `dyn Any`.

use std::{any::Any, io, sync::Mutex};

static KEPT: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

struct Value(u32);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let word = "one";
    let mut kept = KEPT.lock().unwrap();
    if line == "keep" {
        *kept = Some(Box::new(Value(7)));
        return format!("kept by {word}");
    }
    let value = kept.as_ref().and_then(|kept| kept.downcast_ref::<Value>());
    value.map_or_else(|| format!("{word} found nothing"), |value| format!("{word} found {}", value.0))
}
