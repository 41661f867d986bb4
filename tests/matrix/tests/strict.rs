//! A crate that forbids and denies all it can gets no warning from what an entry expands to.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unused,
    future_incompatible,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]

use std::future::Future;

/// Borrows.
pub struct Context<'a> {
    text: &'a str,
}

/// A lifetime that is not named.
#[hotswap::entry]
pub async fn handler(context: Context<'_>, name: &str) -> usize {
    context.text.len() + name.len()
}

/// One that is not even written.
#[expect(elided_lifetimes_in_paths, reason = "that is what is tested")]
#[hotswap::entry]
pub async fn hidden(context: Context, name: &str) -> usize {
    context.text.len() + name.len()
}

/// A result that must be used.
#[hotswap::entry]
#[must_use]
pub fn characters(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
}

/// A future by hand.
#[hotswap::entry]
pub fn lengths<'a>(a: &'a str, b: &'a str) -> impl Future<Output = usize> + 'a {
    let sum = a.len() + b.len();
    async move { sum }
}

/// A trait.
pub trait Text {
    /// The text.
    fn text(&self) -> String;
}

#[hotswap::entry]
impl Text for Context<'_> {
    fn text(&self) -> String {
        self.text.to_owned()
    }
}

/// A body that never returns: the compiler must not warn of what the macro adds behind it.
#[hotswap::entry]
pub async fn later(text: &str) -> Result<u32, String> {
    unimplemented!("{text}")
}

/// A body that never returns: the compiler must not warn of what the macro adds behind it.
///
/// # Errors
///
/// Never.
#[hotswap::entry]
pub fn now(text: &str) -> Result<u32, String> {
    unimplemented!("{text}")
}

/// A function for some processors only.
#[cfg(target_arch = "x86_64")]
#[hotswap::entry]
#[target_feature(enable = "sse4.2,popcnt")]
#[must_use]
pub fn ones(number: u32) -> u32 {
    number.count_ones()
}

/// Trait objects with lifetimes of their own.
#[hotswap::entry]
pub fn dynamic(call: &dyn Fn(&str) -> usize, mut all: Vec<Box<dyn Fn() -> usize + '_>>) -> usize {
    all.push(Box::new(|| call("abc")));
    all.iter().map(|call| call()).sum()
}

/// Nothing calls it but a swap.
#[hotswap::on_load]
fn looks() -> std::io::Result<()> {
    std::env::current_dir().map(drop)
}

#[hotswap::after_swap]
fn arrives(swap: hotswap::Swap) {
    assert!(swap.from < swap.to);
}

#[test]
fn it_runs() {
    assert_eq!(characters("ab").count(), 2);
    assert_eq!(Context { text: "a" }.text(), "a");
    assert_eq!(dynamic(&|text| text.len(), Vec::new()), 3);
}
