//! Reads what the wrappers wrote.

use std::{env, fs, io};

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let log = env::var("WRAPPER_LOG").unwrap();
    let (wrapper, name) = line.split_once(' ').unwrap();
    if wrapper == "forget" {
        fs::remove_file(log).unwrap();
        return "one".to_owned();
    }
    let calls = fs::read_to_string(log).unwrap_or_default();
    let wanted = |call: &&str| {
        let mut words = call.split(' ');
        words.next() == Some(wrapper) && words.any(|word| word == name)
    };
    match calls.lines().find(wanted) {
        Some(_) => format!("{wrapper} saw {name}"),
        None => format!("{wrapper} did not see {name}: {}", calls.replace('\n', "; ")),
    }
}
