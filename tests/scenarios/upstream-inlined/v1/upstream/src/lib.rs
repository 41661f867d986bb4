//! Has nothing that is compiled here alone.

use std::fmt::Display;

pub const CONST: &str = "one";

pub fn generic<T: Display>(value: T) -> String {
    format!("generic one {value}")
}

#[inline]
pub fn inline() -> String {
    "inline one".to_owned()
}

pub fn with<R>(call: impl FnOnce(&str) -> R) -> R {
    call("one")
}

#[macro_export]
macro_rules! word {
    () => {
        "macro one".to_owned()
    };
}
