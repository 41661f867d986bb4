//! An entry that has the name of one in the executable.

#[hotswap::entry]
pub fn answer() -> String {
    "library one".to_owned()
}
