struct Counter;

#[hotswap::server]
impl Counter {}

fn main() {}
