//! Has no executable.

pub fn word() -> String {
    "library one".to_owned()
}
