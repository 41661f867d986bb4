//! Keeps a trait object.

use std::{io, sync::Mutex};

static KEPT: Mutex<Option<Box<dyn Speak + Send>>> = Mutex::new(None);

trait Speak {
    fn first(&self) -> String;
    fn second(&self) -> String;
}

struct Person(&'static str);

impl Speak for Person {
    fn first(&self) -> String {
        format!("first {}", self.0)
    }

    fn second(&self) -> String {
        format!("second {}", self.0)
    }
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
        *kept = Some(Box::new(Person("one")));
        return "made".to_owned();
    }
    let Some(kept) = kept.as_ref() else { return "called nobody".to_owned() };
    format!("{}, {}", kept.first(), kept.second())
}
