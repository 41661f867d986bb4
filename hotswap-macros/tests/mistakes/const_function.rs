use hotswap_macros as hotswap;

#[hotswap::entry]
const fn double(value: u32) -> u32 {
    value * 2
}

fn main() {}
