//! Counts its own events.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static SEEN: AtomicU32 = AtomicU32::new(0);

struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        SEEN.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[hotswap::entry]
fn answer() -> String {
    tracing::info!(target: "text 0", "asked");
    format!("seen {}", SEEN.load(Ordering::Relaxed))
}

fn main() {
    hotswap::set_purge_budget(std::time::Duration::from_secs(10));
    tracing::subscriber::set_global_default(Counter).unwrap();
    for line in io::stdin().lines() {
        line.unwrap();
        println!("{}", answer());
    }
}
