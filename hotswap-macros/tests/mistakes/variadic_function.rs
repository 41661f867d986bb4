use hotswap_macros as hotswap;

#[hotswap::entry]
unsafe extern "C" fn print(format: *const u8, _: ...) {}

fn main() {}
