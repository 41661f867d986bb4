//! Declares a slice.

use linkme::distributed_slice;

#[distributed_slice]
pub static WORDS: [&'static str];

#[distributed_slice(WORDS)]
static OWN: &str = "helper";

pub fn all() -> String {
    let mut words = WORDS.to_vec();
    words.sort_unstable();
    words.join(", ")
}
