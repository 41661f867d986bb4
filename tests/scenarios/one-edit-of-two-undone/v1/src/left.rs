//! One entry.

#[hotswap::entry]
pub fn word() -> String {
    "left one".to_owned()
}
