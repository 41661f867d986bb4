//! Keeps an object of two traits, all of whose methods do the same.

use std::{io, sync::Mutex};

static KEPT: Mutex<Option<Box<dyn Speak + Send>>> = Mutex::new(None);
static GREETER: Mutex<Option<Box<dyn Greet + Send>>> = Mutex::new(None);

trait Speak {
    fn first(&self, words: u32) -> u32; fn second(&self, words: u32) -> u32;
}

trait Greet {
    fn greet(&self, words: u32) -> u32;
}

struct Person;

impl Speak for Person {
    fn first(&self, words: u32) -> u32 {
        words * 3
    }

    fn second(&self, words: u32) -> u32 {
        words * 3
    }
}

impl Greet for Person {
    fn greet(&self, words: u32) -> u32 {
        words * 2 + words
    }
}

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(line.unwrap().parse().unwrap()));
    }
}

#[hotswap::entry]
fn answer(words: u32) -> String {
    let (mut kept, mut greeter) = (KEPT.lock().unwrap(), GREETER.lock().unwrap());
    let made = kept.get_or_insert_with(|| Box::new(Person));
    let greets = greeter.insert(Box::new(Person));
    format!("{}, {}, {}", made.first(words), made.second(words), greets.greet(words))
}
