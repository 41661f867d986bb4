use hotswap_macros as hotswap;

#[hotswap::entry(fast)]
fn one() {}

#[hotswap::entry(crate)]
fn two() {}

fn main() {}
