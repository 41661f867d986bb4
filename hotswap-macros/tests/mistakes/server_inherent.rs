struct Counter;

#[hotswap_macros::server]
impl Counter {}

fn main() {}
