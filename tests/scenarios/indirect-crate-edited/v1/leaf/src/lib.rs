//! Depends on nothing.

pub fn word() -> &'static str {
    "leaf one"
}
