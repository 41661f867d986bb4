//! The other entry.

#[hotswap::entry]
pub fn word() -> String {
    "right one".to_owned()
}
