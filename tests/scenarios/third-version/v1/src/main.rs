//! Calls that stay in the version in which they began, until they are told to end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hotswap::ThirdVersion;

static LEAVE: AtomicBool = AtomicBool::new(false);

fn text() -> &'static str {
    "one"
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    match line {
        "wait" => hotswap::set_third_version(ThirdVersion::WAIT),
        "refuse" => hotswap::set_third_version(ThirdVersion::Refuse),
        "kill" => hotswap::set_third_version(ThirdVersion::KILL),
        "keep" => hotswap::set_third_version(ThirdVersion::KEEP),
        "bound" => hotswap::set_third_version(ThirdVersion::Keep { at_most: 2 }),
        "brief" => hotswap::set_third_version(ThirdVersion::Wait {
            at_most: Duration::ZERO,
        }),
        "list" => return format!("{} {}", text(), hotswap::work().len()),
        "work" => work(),
        _ => {}
    }
    format!("{} {line}", text())
}

/// A thread whose code is that of the version.
fn work() {
    let (tell, told) = mpsc::channel();
    let worker = hotswap::thread::spawn("worker", move || {
        tell.send(()).unwrap();
        loop {
            hotswap::thread::checkpoint();
            thread::yield_now();
        }
    });
    drop(worker.unwrap());
    told.recv().unwrap();
}

#[hotswap::entry]
fn stay(tell: mpsc::Sender<()>) {
    tell.send(()).unwrap();
    while !LEAVE.load(Ordering::Relaxed) {
        thread::park();
    }
    let _ = text();
}

fn main() {
    let mut inside: Vec<thread::JoinHandle<()>> = Vec::new();
    for line in io::stdin().lines() {
        let line = line.unwrap();
        match line.as_str() {
            "stay" => {
                LEAVE.store(false, Ordering::Relaxed);
                let (tell, told) = mpsc::channel();
                inside.push(thread::spawn(move || stay(tell)));
                told.recv().unwrap();
                println!("stays");
            }
            "leave" => {
                LEAVE.store(true, Ordering::Relaxed);
                for thread in inside.drain(..) {
                    thread.thread().unpark();
                    thread.join().unwrap();
                }
                println!("left");
            }
            _ => println!("{}", answer(&line)),
        }
    }
}
