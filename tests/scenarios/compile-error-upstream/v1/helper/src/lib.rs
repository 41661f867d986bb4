//! Says something.

pub fn word() -> String {
    "helper one".to_owned()
}
