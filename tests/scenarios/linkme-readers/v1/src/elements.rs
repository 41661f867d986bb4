use linkme::distributed_slice;

use crate::slice::NAMES;

#[distributed_slice(NAMES)]
static FIRST: &'static str = "first";

// More.
