use hotswap_macros as hotswap;

#[hotswap::entry]
extern "C" fn callback(value: u32) -> u32 {
    value * 2
}

#[hotswap::entry]
extern fn callback_too(value: u32) -> u32 {
    value * 2
}

fn main() {}
