//! Calls every kind of entry.

mod kinds;
mod version;

use std::{
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use kinds::{Block, Counter, Speak};

fn main() {
    for line in io::stdin().lines() {
        if line.unwrap() == "leave" {
            kinds::leave();
        }
        functions();
        methods();
        traits();
        hidden_types();
    }
}

fn functions() {
    let dynamic = kinds::dynamic(&|n| n + 1);
    println!(
        "{}, {}, {}, {dynamic}, {}",
        kinds::free(),
        kinds::pattern((1, 2), 0, "ignored"),
        kinds::untracked(),
        kinds::borrowed("ignored", "x"),
    );
}

fn methods() {
    let (mut counter, made) = Counter::new(10);
    let read = counter.read();
    let bump = counter.bump();
    let counter = Arc::new(counter);
    let shared = counter.shared();
    let owned = Arc::into_inner(counter).unwrap().into_text();
    println!("new {made}, read {read}, bump {bump}, shared {shared}, owned {owned}");
}

fn traits() {
    let counter = Counter::new(0).0;
    let speaks: &dyn Speak = &counter;
    let spoken = speaks.speak();
    let boxed = Box::new(Counter::new(0).0).boxed();
    let block = Block.say();
    println!("{spoken}, {boxed}, {}, {block}, {}", Counter::fixed(), kinds::inline_module::say());
}

fn hidden_types() {
    let words: Vec<String> = kinds::words("a b").collect();
    let four = 4;
    // SAFETY: the pointer is one to a live value.
    let raw = unsafe { kinds::raw(&raw const four) };
    let future = finish(kinds::future("x"));
    let boxed = finish(Block.future("y"));
    let (line, caller) = (line!(), kinds::caller());
    let here = if line == caller.0 { "here" } else { "elsewhere" };
    println!("words {}, {future}, {boxed}, {raw}, caller {here} {}", words.join(" "), caller.1);
}

/// Polls a future that is ready after a few polls.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}
