//! An entry that has the name of one in the library, which has this crate's name.

use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}, {}, {}", answer(), entries_of_one_name::answer(), inner::answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    "main one".to_owned()
}

mod inner {
    #[hotswap::entry]
    pub fn answer() -> String {
        "inner one".to_owned()
    }
}
