use hotswap_macros::Migrate;

#[derive(Migrate)]
#[repr(C, packed(2))]
struct Header {
    kind: u8,
    length: u32,
}

fn main() {}
