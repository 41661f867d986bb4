//! Forks at once, and lets the child answer over pipes.

use std::{
    io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    safe fn fork() -> i32;
}

fn main() {
    let (questions, mut ask) = io::pipe().unwrap();
    let (replies, reply) = io::pipe().unwrap();
    if fork() == 0 {
        drop((ask, replies));
        serve(questions, reply);
    }
    drop((questions, reply));
    let mut replies = BufReader::new(replies).lines();
    for line in io::stdin().lines() {
        if line.unwrap() == "child" {
            writeln!(ask).unwrap();
            println!("{}", replies.next().unwrap().unwrap());
        } else {
            println!("{}", answer());
        }
    }
}

/// The child's life.
fn serve(questions: PipeReader, mut reply: PipeWriter) -> ! {
    for _ in BufReader::new(questions).lines() {
        writeln!(reply, "{}", answer()).unwrap();
    }
    process::exit(0);
}

#[hotswap::entry]
fn answer() -> String {
    let listening = if hotswap::status().listening { "listening" } else { "not listening" };
    format!("{} {}, {listening}", "one", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
