//! Has no entry of its own.

pub fn word() -> String {
    "helper one".to_owned()
}
