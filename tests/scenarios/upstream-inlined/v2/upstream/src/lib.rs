//! Has nothing that is compiled here alone.

use std::fmt::Display;

pub const CONST: &str = "two";

pub fn generic<T: Display>(value: T) -> String {
    format!("generic two {value}")
}

#[inline]
pub fn inline() -> String {
    "inline two".to_owned()
}

pub fn with<R>(call: impl FnOnce(&str) -> R) -> R {
    call("two")
}

#[macro_export]
macro_rules! word {
    () => {
        "macro two".to_owned()
    };
}
