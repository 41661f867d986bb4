//! Has nothing to do with hotswap.

fn main() {
    println!("other");
}
