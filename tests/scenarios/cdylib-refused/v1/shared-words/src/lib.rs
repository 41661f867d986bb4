//! Is a dynamic library.

pub fn word() -> String {
    "one".to_owned()
}
