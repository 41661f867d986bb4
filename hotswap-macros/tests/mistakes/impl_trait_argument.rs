use hotswap_macros as hotswap;

#[hotswap::entry]
fn show(value: impl ToString, others: Vec<impl ToString>) -> String {
    value.to_string()
}

fn main() {}
