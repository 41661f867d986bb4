use hotswap_macros as hotswap;

#[hotswap::entry]
fn show(#[cfg(unix)] value: u32, #[cfg(not(unix))] value: u64) -> String {
    value.to_string()
}

fn main() {}
