use hotswap_macros as hotswap;

#[hotswap::entry]
fn show<T: ToString>(value: T) -> String {
    value.to_string()
}

#[hotswap::entry]
fn sum<const N: usize>(values: [u32; N]) -> u32 {
    values.iter().sum()
}

fn main() {}
