//! Is not the one that is run.

fn main() {
    println!("{}", answer());
}

#[hotswap::entry]
fn answer() -> String {
    "first one".to_owned()
}
