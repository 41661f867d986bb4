//! Servers whose new code panics.

use std::io;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{CallError, Context, Handle, Init};

#[derive(Migrate)]
pub struct Counter {
    count: u64,
    more: u32,
}

#[hotswap::server]
impl hotswap::Server for Counter {
    type Call = u64;
    type Reply = u64;

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { count: 0, more: 0 })
    }

    fn handle_call(&mut self, more: u64, _: &mut Context<'_, Self>) -> u64 {
        assert_eq!(self.more, 1, "no luck");
        self.count += more;
        self.count
    }
}

fn main() {
    let spawn = |_| hotswap::server::spawn::<Counter>(()).expect("it starts");
    let counters: Vec<Handle<Counter>> = (0..50).map(spawn).collect();
    let mut panics = vec![0; counters.len()];
    for (round, _) in (1..).zip(io::stdin().lines()) {
        let before: u64 = panics.iter().sum();
        // All at the same time.
        let asked: Vec<_> = counters.iter().map(|counter| counter.ask(1)).collect();
        let mut right = true;
        for (pending, panics) in asked.into_iter().zip(&mut panics) {
            match pending.expect("it is alive").wait(Duration::from_secs(60)) {
                // What panicked did not count.
                Ok(count) => right &= count + *panics == round,
                Err(CallError::Panicked(_)) => *panics += 1,
                Err(error) => println!("{error}"),
            }
        }
        let status = counters.iter().filter_map(|counter| counter.status());
        let restarts: u64 = status.map(|status| status.restarts).sum();
        let panicked = panics.iter().sum::<u64>() > before;
        println!("right {right}, panicked {panicked}, restarts {restarts}");
    }
}
