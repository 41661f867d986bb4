use std::cell::Cell;
use std::io::BufRead;
use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static WORDS: Cell<u32> = const { Cell::new(0) };
}

/// Both entries call it, and only one of them is edited.
fn decorated(text: &str) -> String {
    WORDS.with(|words| words.set(words.get() + 1));
    format!("<{text}>")
}

fn counted() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

trait Shape {
    fn name(&self) -> String;
    fn sides(&self) -> u32;
}

struct Square;

impl Shape for Square {
    fn name(&self) -> String {
        decorated("square")
    }

    fn sides(&self) -> u32 {
        4
    }
}

#[hotswap::entry]
fn first() -> String {
    format!("first {} {}", decorated("one"), counted())
}

#[hotswap::entry]
fn second() -> String {
    let shape: Box<dyn Shape> = Box::new(Square);
    format!("second {} {} {}", shape.name(), shape.sides(), counted())
}

#[hotswap::entry]
fn third() -> String {
    let result = std::panic::catch_unwind(|| {
        let _words = decorated("unwound");
        assert_eq!(counted(), 0, "never");
    });
    format!("third {} {}", result.is_err(), WORDS.with(Cell::get))
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    for line in std::io::stdin().lock().lines() {
        match line.expect("text").as_str() {
            "first" => println!("{}", first()),
            "second" => println!("{}", second()),
            _ => println!("{}", third()),
        }
    }
}
