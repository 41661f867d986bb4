use std::io;

use either::Either;

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    told(Either::Left(line.as_bytes()))
}

fn told(side: Either<&[u8], &[u8]>) -> String {
    format!("{} bytes", side.either(<[u8]>::len, <[u8]>::len))
}
