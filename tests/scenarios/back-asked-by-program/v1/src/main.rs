//! A program that goes back when it is told to.

use std::io;

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "back" => match hotswap::revert() {
                Ok(version) => println!("back as version {version}"),
                Err(error) => println!("not back: {error}"),
            },
            _ => println!("{}", say()),
        }
    }
}

#[hotswap::entry]
fn say() -> &'static str {
    "one"
}
