//! A program whose entry is made to panic.

use std::io;
use std::panic::catch_unwind;

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "version" => println!("version {}", hotswap::version()),
            "revert on panic" => {
                hotswap::set_on_panic(hotswap::OnPanic::REVERT);
                println!("set");
            }
            _ => println!("{}", catch_unwind(say).unwrap_or_else(|_| "caught".to_owned())),
        }
    }
}

#[hotswap::entry]
fn say() -> String {
    "one".to_owned()
}
