//! A library that cargo finds by its name.

pub fn word() -> &'static str {
    "library two"
}
