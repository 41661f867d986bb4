//! Counts in thread-locals on three kinds of thread.

use std::{
    cell::{Cell, RefCell},
    io,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

static DROPPED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static CONST: Cell<u32> = const { Cell::new(0) };
    static LAZY: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(1));
    static OWNED: Owned = Owned(Cell::new(0));
}

struct Owned(Cell<u32>);

impl Drop for Owned {
    fn drop(&mut self) {
        DROPPED.store(self.0.get(), Ordering::Relaxed);
    }
}

fn main() {
    let (requests, received) = mpsc::channel();
    let (replies, answers) = mpsc::channel();
    let worker = thread::spawn(move || work(&received, &replies));
    for line in io::stdin().lines() {
        let line = line.unwrap();
        match line.as_str() {
            "worker" => {
                requests.send(line).unwrap();
                println!("{}", answers.recv().unwrap());
            }
            "fresh" => {
                let fresh = thread::spawn(move || step(&line)).join().unwrap();
                println!("{fresh}; dropped {}", DROPPED.load(Ordering::Relaxed));
            }
            "end" => break,
            _ => println!("{}", step(&line)),
        }
    }
    drop(requests);
    worker.join().unwrap();
    println!("worker ended; dropped {}", DROPPED.load(Ordering::Relaxed));
}

fn work(requests: &Receiver<String>, replies: &Sender<String>) {
    for name in requests {
        replies.send(step(&name)).unwrap();
    }
}

#[hotswap::entry]
fn step(name: &str) -> String {
    CONST.set(CONST.get() + 1);
    let lazy = LAZY.with_borrow_mut(|lazy| {
        lazy.push(0);
        lazy.len()
    });
    let owned = OWNED.with(|owned| {
        owned.0.set(owned.0.get() + 1);
        owned.0.get()
    });
    let library = cells::step();
    format!("{name}: const {}, lazy {lazy}, owned {owned}, library {library}", CONST.get())
}
