//! The one thing that is edited.

pub fn zahl() -> &'static str {
    "eins"
}
