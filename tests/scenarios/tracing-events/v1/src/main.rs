//! Prints its own events.

use std::{
    fmt::{self, Write},
    io,
    sync::atomic::{AtomicU32, Ordering},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

static NUMBER: AtomicU32 = AtomicU32::new(0);

struct Printer;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let metadata = event.metadata();
        println!("{} {}:{}", metadata.level(), metadata.target(), line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn main() {
    tracing::subscriber::set_global_default(Printer).unwrap();
    for _ in io::stdin().lines() {
        answer();
    }
}

#[hotswap::entry]
fn answer() {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::info!(number, "one");
}
