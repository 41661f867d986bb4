//! The one thing that is edited.

pub fn number() -> u32 {
    1
}
