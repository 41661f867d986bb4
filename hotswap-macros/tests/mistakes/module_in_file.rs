use hotswap_macros as hotswap;

mod outer {
    #[crate::hotswap::entry]
    mod rooms;
}

fn main() {}
