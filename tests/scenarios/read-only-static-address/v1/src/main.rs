use std::io;
use std::sync::OnceLock;

static FIRST: OnceLock<&'static u32> = OnceLock::new();

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    match line.split_once(' ') {
        Some((_, number)) => {
            let number = number.parse().unwrap();
            format!("{}", helper::is_picked(number, helper::pick(number)))
        }
        None if line == "value" => {
            let nobody = helper::nobody();
            format!("{nobody} {}", helper::is_nobody(nobody))
        }
        None => {
            let nobody = helper::nobody();
            // What version 0 kept is the same as what later ones see.
            let first = FIRST.get_or_init(helper::nobody);
            let same = std::ptr::eq(*first, nobody);
            format!("{} {} {same}", helper::is_nobody(nobody), helper::inner::is_nobody(nobody))
        }
    }
}
