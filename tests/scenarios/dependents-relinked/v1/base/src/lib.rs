//! Has functions that dependents call, contain, and share.

use std::mem;

pub fn plain() -> String {
    "plain one".to_owned()
}

pub fn generic<T>(value: T) -> &'static str {
    mem::drop(value);
    "generic one"
}

/// Calls the private function below.
pub fn shared<T: Default>() -> String {
    mem::drop(T::default());
    word().to_owned()
}

/// Makes `shared::<u32>`, which other crates may use as well then.
pub fn user() -> String {
    shared::<u32>()
}

fn word() -> &'static str {
    "shared one"
}
