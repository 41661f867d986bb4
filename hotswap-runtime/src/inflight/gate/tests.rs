//! Calls of an entry that uses a cell, while swaps change the cell's type to and fro.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hotswap_protocol::state::{FieldChange, Fields, How, Source, TypeChange};

use super::*;
use crate::convert::resolve::Resolver;
use crate::entry::{Arg, Descriptor};
use crate::gate::arity::call0;
use crate::gate::{Tracked, anchor};
use crate::live::Live;
use crate::migrate::Migrate;
use crate::migrate::schema::{Field, Schema, Shape};
use crate::table::EntryBinding;
use crate::transaction::{Change, SwapLimits, Transaction};

/// A value whose tag tells what type it is; both types have one layout, so that a call that comes
/// too late reads a wrong tag and nothing worse.
#[repr(C)]
struct Tagged<const TAG: u64> {
    tag: u64,
    count: u64,
}

impl<const TAG: u64> Migrate for Tagged<TAG> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Record(
                const {
                    &[
                        Field::of::<u64>("tag", 0, None)
                            .with_default(Some(|place| crate::migrate::probe::put(place, TAG))),
                        Field::of::<u64>("count", 8, None),
                    ]
                },
            ))
        }
    }
}

type One = Tagged<1>;
type Two = Tagged<2>;

static CELL: Live<One> = Live::new(|| One { tag: 1, count: 0 });

static ENTRY: Descriptor = Descriptor::new("gate::count", "fn count()", 0, None);

/// What the tests have seen of wrong tags.
static WRONG: AtomicU64 = AtomicU64::new(0);

/// The body of both versions: it takes the guard, after a while, and calls another entry.
fn body<const TAG: u64>() -> Arg<()> {
    anchor(&ENTRY);
    thread::yield_now();
    // SAFETY: handles do not depend on the type.
    let cell = unsafe { &*std::ptr::from_ref(&CELL).cast::<Live<Tagged<TAG>>>() };
    let mut value = cell.write();
    if value.tag != TAG {
        WRONG.fetch_add(1, Ordering::SeqCst);
    }
    value.count += 1;
    // With a guard in hand this one must not wait.
    nested();
    Arg([()])
}

static NESTED: Descriptor = Descriptor::new("gate::nested", "fn nested()", 0, None);

fn nested() {
    call0::<Tracked, _>(&NESTED, || Arg([()]));
}

fn count() {
    call0::<Tracked, _>(&ENTRY, body::<1>);
}

fn binding(body: fn() -> Arg<()>) -> EntryBinding {
    EntryBinding {
        path: "gate::count".to_owned(),
        fingerprint: String::new(),
        descriptor: &ENTRY,
        body: body as *const (),
    }
}

/// Makes the other body current, and gives the cell a value of its type.
fn swap(to: u64) {
    let (body, old, new): (fn() -> Arg<()>, _, _) = match to {
        1 => (body::<1>, Two::schema(), One::schema()),
        _ => (body::<2>, One::schema(), Two::schema()),
    };
    let field = |name: &str, source| FieldChange {
        name: name.to_owned(),
        source,
    };
    let same = Source::Same {
        from: "count".to_owned(),
    };
    let change = TypeChange {
        old: String::new(),
        new: String::new(),
        old_size: 16,
        new_size: 16,
        how: How::Fields(Fields {
            new: vec![field("tag", Source::Default), field("count", same)],
            removed: vec!["tag".to_owned()],
        }),
    };
    let types = [change];
    let mut resolver = Resolver::new(&types);
    let conversion = resolver.resolve(0, old, new).unwrap();
    let change = Change {
        path: "CELL".to_owned(),
        handle: CELL.handle(),
        conversion,
    };
    let transaction = Transaction::new(resolver.finish().unwrap(), vec![change]);
    let version = table::current_version() + 1;
    let table = table::prepare(version, vec![binding(body)], HashSet::new()).unwrap();
    let patient = Duration::from_secs(60);
    let mut limits = SwapLimits::default();
    (limits.guards, limits.calls) = (patient, patient);
    let closed = || {
        let gate = Gate::close();
        gate.drain(limits.calls);
        gate
    };
    let assembled = transaction.assemble(limits, closed).unwrap();
    assembled.commit(|| {
        table::open_at_publish();
        table::publish(table);
    });
}

/// Ends the threads, also after a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn no_call_meets_a_value_of_another_version_and_none_is_lost() {
    const THREADS: u64 = 4;
    const SWAPS: u64 = 40;
    let _turn = table::tests::turn();
    table::register_host(vec![binding(body::<1>)]).unwrap();
    count();
    let done = AtomicBool::new(false);
    let calls = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    count();
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let _ends = Ends(&done);
        for number in 0..SWAPS {
            let before = calls.load(Ordering::SeqCst);
            swap(2 - number % 2);
            // Calls go on after each swap.
            while calls.load(Ordering::SeqCst) <= before + THREADS {
                thread::yield_now();
            }
        }
    });
    assert_eq!(WRONG.load(Ordering::SeqCst), 0);
    // The last swap made it a `One` again.
    assert_eq!(
        (CELL.read().tag, CELL.read().count),
        (1, calls.into_inner())
    );
}
