use std::io;

use base::note;

const NUMBER: u32 = 1;

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(_: &str) -> String {
    format!("{NUMBER} [{}]", base::notes())
}

#[hotswap::on_load]
fn look() -> Result<(), String> {
    note(&format!("{NUMBER} looks"));
    Ok(())
}

#[hotswap::before_swap]
fn leave() {
    note(&format!("{NUMBER} leaves"));
}

mod more {
    #[hotswap::after_swap]
    fn arrive() {
        base::note(&format!("{} arrives", crate::NUMBER));
    }
}
