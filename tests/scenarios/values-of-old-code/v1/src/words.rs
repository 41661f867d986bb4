//! The one thing that is edited.

pub fn word() -> &'static str {
    "one"
}
