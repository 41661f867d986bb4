//! Keeps values that point at code.

mod words;

use std::{
    io,
    sync::{Arc, Mutex},
};

use words::word;

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);
static DROPPED: Mutex<String> = Mutex::new(String::new());

struct Kept {
    object: Box<dyn Speak + Send>,
    function: fn() -> &'static str,
    closure: Box<dyn Fn() -> String + Send>,
    text: &'static str,
    shared: Arc<dyn Speak + Send + Sync>,
}

trait Speak {
    fn speak(&self) -> String;
}

struct Person;

impl Speak for Person {
    fn speak(&self) -> String {
        word().to_owned()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        *DROPPED.lock().unwrap() = format!("dropped {}; ", word());
    }
}

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "make" => println!("{}", make()),
            "new calls" => println!("{}", new_calls()),
            _ => println!("{}", call()),
        }
    }
}

#[hotswap::entry]
fn make() -> String {
    let name = "closure";
    let kept = Kept {
        object: Box::new(Person),
        function: word,
        closure: Box::new(move || format!("{name} {}", word())),
        text: word(),
        shared: Arc::new(Person),
    };
    *KEPT.lock().unwrap() = Some(kept);
    format!("{}made by {}", DROPPED.lock().unwrap(), word())
}

#[hotswap::entry]
fn new_calls() -> String {
    call()
}

fn call() -> String {
    let kept = KEPT.lock().unwrap();
    let kept = kept.as_ref().unwrap();
    format!(
        "object {}, function {}, {}, text {}, shared {}",
        kept.object.speak(),
        (kept.function)(),
        (kept.closure)(),
        kept.text,
        kept.shared.speak(),
    )
}
