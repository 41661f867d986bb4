//! Knows the leaf.

pub fn word() -> String {
    format!("middle of {}", leaf::word())
}
