//! Is compiled once and then copied.

pub fn word() -> String {
    "library one".to_owned()
}
