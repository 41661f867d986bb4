//! Servers of which one type comes after another.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Activity, Context, Handle, Init, Pending};

const LONG: Duration = Duration::from_secs(120);

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WORKING: AtomicBool = AtomicBool::new(false);
static END: AtomicBool = AtomicBool::new(false);

#[derive(Migrate)]
struct Store;

#[derive(Migrate)]
enum Tell {
    /// Work until it is told to end.
    Work,
    /// The same, and ask the other one then.
    Hold(Handle<Cache>),
}

#[hotswap::server]
impl hotswap::Server for Store {
    type Cast = Tell;

    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self)
    }

    fn handle_cast(&mut self, tell: Tell, _: &mut Context<'_, Self>) {
        WORKING.store(true, Ordering::SeqCst);
        wait_for(&END);
        if let Tell::Hold(cache) = tell {
            println!("{}", cache.call_within(LONG, Ask).expect("a reply"));
        }
    }

    fn code_change(&mut self, _: u64, _: u64) {
        LOG.lock().unwrap().push("store".to_owned());
    }
}

#[derive(Migrate)]
struct Cache;

#[derive(Migrate)]
struct Ask;

#[hotswap::server(after(Store))]
impl hotswap::Server for Cache {
    type Call = Ask;
    type Reply = String;

    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self)
    }

    fn handle_call(&mut self, Ask: Ask, _: &mut Context<'_, Self>) -> String {
        let word = "1";
        format!("{word}:{}", std::mem::take(&mut *LOG.lock().unwrap()).join(" "))
    }

    fn code_change(&mut self, _: u64, _: u64) {
        LOG.lock().unwrap().push("cache".to_owned());
    }
}

fn wait_for(flag: &AtomicBool) {
    while !flag.swap(false, Ordering::SeqCst) {
        thread::yield_now();
    }
}

/// Asks, and waits for the reply or for that the server waits for others.
fn ask(cache: Handle<Cache>, is_to_wait: bool) -> Option<Pending<Cache>> {
    let pending = cache.ask(Ask).expect("it is asked");
    if is_to_wait {
        let waits = || cache.status().is_some_and(|it| it.activity == Activity::Waiting);
        while !waits() {
            thread::yield_now();
        }
        println!("waits");
        return Some(pending);
    }
    println!("{}", pending.wait(LONG).expect("a reply"));
    None
}

fn main() {
    let start = || hotswap::server::spawn::<Store>(()).expect("it starts");
    let (first, second) = (start(), start());
    let cache = hotswap::server::spawn::<Cache>(()).expect("it starts");
    let mut pending = None;
    for line in io::stdin().lines() {
        match line.as_deref() {
            Ok("work") => {
                second.cast(Tell::Work).expect("it is told");
                wait_for(&WORKING);
                println!("working");
            }
            Ok("hold") => {
                first.cast(Tell::Hold(cache)).expect("it is told");
                wait_for(&WORKING);
                println!("working");
            }
            Ok("end") => {
                END.store(true, Ordering::SeqCst);
                if let Some(pending) = pending.take() {
                    let reply = Pending::<Cache>::wait(pending, LONG);
                    println!("{}", reply.expect("a reply"));
                }
            }
            Ok("limit") => {
                first.stop(LONG).expect("it ends");
                // It may have upgraded before.
                LOG.lock().unwrap().clear();
                let mut limits = hotswap::SwapLimits::default();
                limits.order = Duration::from_millis(1);
                hotswap::set_swap_limits(limits);
                println!("limited");
            }
            Ok(line) => pending = ask(cache, line == "ask and wait"),
            Err(_) => {}
        }
    }
}
