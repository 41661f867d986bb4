//! Prints what the runtime tells of versions.

use std::fmt::{self, Write};
use std::io;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

struct Printer;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "hotswap"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // It may ask for anything.
        assert!(hotswap::status().listening);
        let mut line = Line(String::new());
        event.record(&mut line);
        println!("{}{}", event.metadata().level(), line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    format!("one {line}")
}

fn main() {
    tracing::subscriber::set_global_default(Printer).unwrap();
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}
