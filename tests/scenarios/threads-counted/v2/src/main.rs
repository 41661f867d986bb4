//! Threads that code of several versions has begun.

use std::io;

use hotswap::{end_old_work, work};

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.expect("a line")));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    match line {
        "begin" => {
            let thread = hotswap::thread::spawn("second", || {
                loop {
                    hotswap::thread::checkpoint();
                    std::thread::yield_now();
                }
            });
            drop(thread.expect("a thread"));
        }
        "end" => {
            let ended = end_old_work();
            while work().iter().any(|work| ended.contains(&work.number)) {
                std::thread::yield_now();
            }
        }
        _ => {}
    }
    let listed = work();
    let listed = listed.iter().map(|work| format!("{} of version {}", work.name, work.version));
    listed.collect::<Vec<_>>().join(", ")
}
