//! A server whose loop is a task, and a task of the first version that calls it without pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, Options, whereis};
use tokio::io::{AsyncBufReadExt, BufReader};

#[derive(Migrate)]
pub struct Counter {
    count: u64,
}

#[derive(Migrate)]
pub struct Add(u64);

#[hotswap::server]
impl hotswap::Server for Counter {
    type Call = Add;
    type Reply = u64;

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { count: 0 })
    }

    fn handle_call(&mut self, Add(more): Add, _: &mut Context<'_, Self>) -> u64 {
        self.count += more;
        self.count
    }
}

static CALLS: AtomicU64 = AtomicU64::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);

async fn call_without_pause(counter: Handle<Counter>) {
    let mut last = 0;
    loop {
        let reply = match counter.ask(Add(1)) {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(count) if count == last + 1 => last = count,
            _ => {
                WRONG.fetch_add(1, Ordering::SeqCst);
            }
        }
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let start = |server| drop(tokio::spawn(server));
    let counter = Options::new().name("counter").spawn_on::<Counter>((), start);
    tokio::spawn(call_without_pause(counter.expect("the name is free")));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        let end = CALLS.load(Ordering::SeqCst) + 200;
        while CALLS.load(Ordering::SeqCst) < end {
            tokio::task::yield_now().await;
        }
        let wrong = WRONG.load(Ordering::SeqCst);
        println!("{}, {wrong} wrong", state().await);
    }
}

#[hotswap::entry]
async fn state() -> String {
    let counter = whereis::<Counter>("counter").expect("it runs");
    let grows = |counter: &mut Counter| counter.count > 0;
    let looked = counter.with_state(Duration::from_secs(60), grows);
    format!("v1 {}", looked.expect("a state"))
}
