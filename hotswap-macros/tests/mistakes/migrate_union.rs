use hotswap_macros::Migrate;

#[derive(Migrate)]
union Number {
    integer: u32,
    real: f32,
}

fn main() {}
