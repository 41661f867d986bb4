//! Clients of the first version that call without pause, also when the reply changes its type.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{CallError, Context, Handle, Init, Options, whereis};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Migrate)]
pub struct Counter {
    name: String,
    count: u64,
}

#[derive(Migrate)]
pub struct Add {
    more: u64,
    less: u64,
}

#[derive(Migrate)]
pub struct Sum {
    sum: u64,
    #[migrate(default = "bytes".to_owned())]
    unit: String,
}

#[hotswap::server]
impl hotswap::Server for Counter {
    type Call = Add;
    type Reply = Sum;

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { name: String::new(), count: 0 })
    }

    fn handle_call(&mut self, add: Add, _: &mut Context<'_, Self>) -> Sum {
        self.count += add.more - add.less;
        Sum { sum: self.count, unit: "calls".to_owned() }
    }
}

static END: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static STALE: AtomicU64 = AtomicU64::new(0);

/// Gives how many calls were answered: as the first version knows a reply, or not at all.
fn client(counter: Handle<Counter>) -> u64 {
    let (mut answered, mut last) = (0, 0);
    while !END.load(Ordering::SeqCst) {
        match counter.call_within(LIMIT, Add { more: 1, less: 0 }) {
            Ok(Sum { sum, .. }) => {
                assert!(sum > last, "{sum} after {last}");
                last = sum;
                answered += 1;
            }
            Err(CallError::Stale(_)) => {
                STALE.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => panic!("{error}"),
        }
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    answered
}

fn main() {
    let options = Options::new().name("counter");
    let counter = options.spawn::<Counter>(()).expect("it starts");
    let clients: Vec<_> = (0..4).map(|_| thread::spawn(move || client(counter))).collect();
    for line in io::stdin().lines() {
        let end = CALLS.load(Ordering::SeqCst) + 200;
        while CALLS.load(Ordering::SeqCst) < end {
            thread::yield_now();
        }
        if line.is_ok_and(|line| line == "end") {
            break;
        }
        println!("{}, stale {}", ask(), STALE.load(Ordering::SeqCst) > 0);
    }
    END.store(true, Ordering::SeqCst);
    let answered = clients.into_iter().map(|client| client.join().expect("no panic"));
    let answered: u64 = answered.sum();
    println!("all counted {}", count() == answered);
    for _ in io::stdin().lines() {}
}

#[hotswap::entry]
fn ask() -> String {
    let counter = whereis::<Counter>("counter").expect("it runs");
    let Sum { sum, unit } = counter.call_within(LIMIT, Add { more: 0, less: 0 }).expect("a reply");
    format!("v2 {} {unit}", sum > 0)
}

#[hotswap::entry]
fn count() -> u64 {
    let counter = whereis::<Counter>("counter").expect("it runs");
    counter.with_state(LIMIT, |counter| counter.count).expect("a state")
}
