//! A server whose state changes its type while a client of the first version calls it without pause.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init};

#[derive(Migrate)]
pub struct Counter {
    count: u64,
}

#[derive(Migrate)]
pub enum Ask {
    Add(u64),
    Tell,
}

#[hotswap::server]
impl hotswap::Server for Counter {
    type Args = u64;
    type Call = Ask;
    type Reply = String;

    fn init(first: u64, _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { count: first })
    }

    fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> String {
        if let Ask::Add(more) = ask {
            self.count += more;
        }
        format!("{}", self.count)
    }
}

static COUNTER: OnceLock<Handle<Counter>> = OnceLock::new();
static PAUSED: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);

/// Never ends, so it is code of the first version for ever.
fn call_without_pause(counter: Handle<Counter>) {
    let mut expected = 100;
    loop {
        if PAUSED.load(Ordering::SeqCst) {
            thread::park();
            continue;
        }
        expected += 1;
        let reply = counter.call(Ask::Add(1));
        let number = reply.as_ref().ok().and_then(|reply| reply.split(' ').next());
        if number.and_then(|number| number.parse().ok()) != Some(expected) {
            WRONG.fetch_add(1, Ordering::SeqCst);
        }
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until the client has had so many more replies.
fn wait_for(more: u64) {
    let end = CALLS.load(Ordering::SeqCst) + more;
    while CALLS.load(Ordering::SeqCst) < end {
        thread::yield_now();
    }
}

fn main() {
    let counter = hotswap::server::spawn::<Counter>(100).expect("it starts");
    COUNTER.set(counter).expect("the first");
    let client = thread::spawn(move || call_without_pause(counter));
    for line in io::stdin().lines() {
        wait_for(200);
        match line.as_deref() {
            Ok("still") => {
                PAUSED.store(true, Ordering::SeqCst);
                // A call is under way until the count stands at what was replied.
                let count = || counter.call(Ask::Tell).expect("a reply");
                let mut told = count();
                while told.split(' ').next() != Some(&(100 + CALLS.load(Ordering::SeqCst)).to_string())
                {
                    thread::yield_now();
                    told = count();
                }
                let extra = told.split_once(' ').map_or("", |(_, extra)| extra);
                println!("all there {extra}, {} wrong", WRONG.load(Ordering::SeqCst));
                PAUSED.store(false, Ordering::SeqCst);
                client.thread().unpark();
            }
            _ => println!("{}, {} wrong", tell(), WRONG.load(Ordering::SeqCst)),
        }
    }
}

#[hotswap::entry]
fn tell() -> String {
    let counter = COUNTER.get().expect("it is set");
    let told = counter.call(Ask::Tell).expect("a reply");
    format!("v1 {}", told.split(' ').count())
}
