//! What a patch of `cargo hotswap patch build --log` tells of each call of an entry.

use std::fmt::{self, Debug, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of an argument's text, beyond which it is cut off.
const MOST_BYTES: usize = 1 << 10;

/// Whether a name is among others, for the compiler.
#[must_use]
pub const fn is_among(name: &str, others: &[&str]) -> bool {
    let mut index = 0;
    while index < others.len() {
        if is_same(name.as_bytes(), others[index].as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// An argument that is to be shown: by `Debug` where its type has that, which is found out by which of two
/// methods of one name the compiler comes to first.
#[derive(Debug)]
pub struct Shown<'a, T: ?Sized>(pub &'a T);

/// Shows what can be.
pub trait ByDebug {
    /// The value as text, cut off where it is long.
    fn shown(&self) -> String;
}

impl<T: Debug + ?Sized> ByDebug for Shown<'_, T> {
    fn shown(&self) -> String {
        // A server shall not fail for its log.
        let text = catch_unwind(AssertUnwindSafe(|| {
            let mut text = Cut(String::new());
            match write!(text, "{:?}", self.0) {
                Ok(()) => text.0,
                Err(fmt::Error) => text.0 + "…",
            }
        }));
        text.unwrap_or_else(|_| "(its `Debug` panicked)".to_owned())
    }
}

/// Names the types of all others.
pub trait ByType {
    /// The name of the value's type.
    fn shown(&self) -> String;
}

impl<T: ?Sized> ByType for &Shown<'_, T> {
    fn shown(&self) -> String {
        format!("({})", std::any::type_name::<T>())
    }
}

/// Text up to a length; more is an error, so that nobody writes on.
struct Cut(String);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST_BYTES.saturating_sub(self.0.len());
        let end = text.floor_char_boundary(room);
        self.0.push_str(&text[..end]);
        if end == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// A call that was told of, and whose end will be: that of its body, or of its future.
#[derive(Debug)]
pub struct LoggedCall {
    entry: &'static str,
    since: Instant,
}

impl LoggedCall {
    /// Tells that an entry was called, with these names and texts of arguments.
    #[must_use]
    #[inline(never)]
    pub fn begin(entry: &'static str, arguments: &[(&str, String)]) -> Self {
        let mut text = String::new();
        for (name, value) in arguments {
            let comma = if text.is_empty() { "" } else { ", " };
            text += &format!("{comma}{name} = {value}");
        }
        began(entry, &text);
        let since = Instant::now();
        Self { entry, since }
    }
}

impl Drop for LoggedCall {
    #[inline(never)]
    fn drop(&mut self) {
        let how = if thread::panicking() {
            "panicked"
        } else {
            "ended"
        };
        ended(self.entry, how, self.since.elapsed());
    }
}

#[cfg(feature = "tracing")]
fn began(entry: &str, arguments: &str) {
    tracing::info!(target: "hotswap::calls", entry, "called: {entry}({arguments})");
}

#[cfg(feature = "tracing")]
fn ended(entry: &str, how: &str, took: Duration) {
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(target: "hotswap::calls", entry, took_us, "{how}: {entry} after {took:?}");
}

#[cfg(not(feature = "tracing"))]
fn began(entry: &str, arguments: &str) {
    eprintln!("hotswap: called: {entry}({arguments})");
}

#[cfg(not(feature = "tracing"))]
fn ended(entry: &str, how: &str, took: Duration) {
    eprintln!("hotswap: {how}: {entry} after {took:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_among_others() {
        assert!(is_among("a::b", &["a", "a::b"]));
        for others in [&[][..], &["a"], &["a::bc"], &["b::b", "a::"]] {
            assert!(!is_among("a::b", others), "{others:?}");
        }
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "it is what macro output says")]
    fn arguments_are_shown_as_far_as_they_can_be() {
        struct Mute;
        struct Panics;
        impl Debug for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("no")
            }
        }
        let (text, mute, mut number) = ("a\n", Mute, 7);
        let exclusive = &mut number;
        assert_eq!((&Shown(&text)).shown(), r#""a\n""#);
        assert_eq!((&Shown(text)).shown(), r#""a\n""#);
        assert_eq!((&Shown(&exclusive)).shown(), "7");
        assert!((&Shown(&mute)).shown().ends_with("::Mute)"));
        assert_eq!((&Shown(&Panics)).shown(), "(its `Debug` panicked)");
        let long = "ä".repeat(1000);
        let shown = (&Shown(&long)).shown();
        assert!(shown.len() <= MOST_BYTES + "…".len() && shown.ends_with("ä…"));
    }
}
