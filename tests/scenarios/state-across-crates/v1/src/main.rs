//! Two threads that work on one cell, in calls of entries.

use std::sync::mpsc;
use std::{io, thread};

fn main() {
    let (ask, asked) = mpsc::channel::<mpsc::Sender<u64>>();
    thread::spawn(move || {
        for answer in asked {
            let _ = answer.send(rules::step());
        }
    });
    for _ in io::stdin().lines() {
        let (answer, answered) = mpsc::channel();
        ask.send(answer).expect("the other thread lives");
        let ticks = answered.recv().expect("it answers");
        println!("{ticks}: {}", rules::shown());
    }
}
