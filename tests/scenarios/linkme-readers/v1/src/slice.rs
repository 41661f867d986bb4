use linkme::distributed_slice;

#[distributed_slice]
pub static NAMES: [&'static str];
