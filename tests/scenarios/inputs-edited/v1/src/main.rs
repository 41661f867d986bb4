//! Is made of more than Rust sources.

use std::io;

include!("code.in");
include!(concat!(env!("OUT_DIR"), "/generated.rs"));

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let bytes = String::from_utf8_lossy(include_bytes!("bytes.bin")).into_owned();
    let text = include_str!("text.txt").replace("text ", "");
    let (text, bytes) = (text.trim(), bytes.trim());
    format!("{} {text}, {bytes}, {}, {}, {}", "text", included(), env!("BUILT"), generated())
}
