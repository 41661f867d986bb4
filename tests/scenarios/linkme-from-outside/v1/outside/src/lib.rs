//! Belongs to somebody else's workspace, and adds to the slice.

#[linkme::distributed_slice(helper::WORDS)]
static WORD: &str = "outside";

pub fn mark() -> &'static str {
    "!"
}
