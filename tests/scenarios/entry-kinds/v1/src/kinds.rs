//! One entry of each kind.

use std::{panic::Location, process, sync::Arc, task::Poll};

use crate::version::number;

#[hotswap::entry]
pub fn free() -> String {
    format!("free {}", number())
}

#[hotswap::entry]
pub fn pattern((a, b): (u32, u32), mut sum: u32, _: &str) -> String {
    sum += a + b;
    format!("pattern {sum} {}", number())
}

#[hotswap::entry(untracked)]
pub fn untracked() -> String {
    format!("untracked {}", number())
}

#[hotswap::entry]
pub fn dynamic(call: &dyn Fn(u32) -> u32) -> String {
    format!("dynamic {} {}", call(4), number())
}

#[hotswap::entry]
pub fn borrowed<'a>(_: &str, text: &'a str) -> Borrowed<'a> {
    Borrowed { text, number: number() }
}

pub struct Borrowed<'a> {
    text: &'a str,
    number: u32,
}

impl std::fmt::Display for Borrowed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "borrowed {} {}", self.text, self.number)
    }
}

#[hotswap::entry]
pub fn words<'a>(text: &'a str) -> impl Iterator<Item = String> + 'a {
    text.split(' ').map(|word| format!("{word}{}", number()))
}

#[hotswap::entry]
pub async fn future(text: &str) -> String {
    pause().await;
    format!("future {text} {}", number())
}

/// Is pending once.
async fn pause() {
    let mut polled = false;
    std::future::poll_fn(|_| {
        let ready = std::mem::replace(&mut polled, true);
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// # Safety
///
/// The pointer is valid for a read.
#[hotswap::entry]
pub unsafe fn raw(number_at: *const u32) -> String {
    // SAFETY: the caller's promise.
    let value = unsafe { number_at.read() };
    format!("raw {value} {}", number())
}

#[hotswap::entry]
#[track_caller]
pub fn caller() -> (u32, u32) {
    (Location::caller().line(), number())
}

#[hotswap::entry]
pub fn leave() -> ! {
    process::exit(number().cast_signed());
}

pub struct Counter {
    count: u32,
}

impl Counter {
    #[hotswap::entry]
    pub fn new(count: u32) -> (Self, u32) {
        (Self { count }, number())
    }

    #[hotswap::entry]
    pub fn read(&self) -> u32 {
        self.count
    }

    #[hotswap::entry]
    pub fn bump(&mut self) -> String {
        self.count += number();
        let count = self.count;
        format!("{count} {}", number())
    }

    #[hotswap::entry]
    pub fn shared(self: &Arc<Self>) -> String {
        format!("{} {}", self.count, number())
    }

    #[hotswap::entry]
    pub fn into_text(self) -> String {
        format!("{} {}", self.count, number())
    }
}

pub trait Speak {
    fn speak(&self) -> String;
    fn boxed(self: Box<Self>) -> String;
    fn fixed() -> String
    where
        Self: Sized;
}

impl Speak for Counter {
    #[hotswap::entry]
    fn speak(&self) -> String {
        format!("trait {}", number())
    }

    #[hotswap::entry]
    fn boxed(self: Box<Self>) -> String {
        format!("boxed {}", number())
    }

    #[hotswap::entry]
    fn fixed() -> String {
        format!("static {}", number())
    }
}

pub struct Block;

#[hotswap::entry]
impl Block {
    pub fn say(&self) -> String {
        format!("block {}", number())
    }

    pub async fn future(&self, text: &str) -> String {
        pause().await;
        format!("boxed future {text} {}", number())
    }
}

#[hotswap::entry]
pub mod inline_module {
    pub fn say() -> String {
        format!("inline module {}", crate::version::number())
    }
}
