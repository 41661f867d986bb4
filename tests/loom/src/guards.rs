//! Guards of a cell against a swap that changes it, under every schedule that loom finds.

use std::panic::Location;
use std::time::{Duration, Instant};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::live::lock::{Lock, Mode, Patience, Ticket, Who};

/// A cell: the value stands for memory of one layout, which a swap replaces.
struct Cell {
    lock: Lock,
    value: UnsafeCell<u32>,
}

// SAFETY: that `lock` guards `value` is what is tested; loom tells if it does not.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl Cell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: Lock::new(),
            value: UnsafeCell::new(1),
        })
    }

    fn hold(&self, mode: Mode) -> Ticket {
        self.try_hold(mode, Patience::Endless)
            .expect("waiting has no end")
    }

    fn try_hold(&self, mode: Mode, patience: Patience) -> Option<Ticket> {
        self.lock
            .acquire(mode, Who::me(Location::caller(), 1), patience)
    }

    fn read(&self) -> u32 {
        // SAFETY: the caller holds the cell; loom tells if somebody writes.
        self.value.with(|value| unsafe { *value })
    }

    fn write(&self, new: u32) {
        // SAFETY: the caller holds the cell alone; loom tells if somebody else is there.
        self.value.with_mut(|value| unsafe { *value = new });
    }
}

fn check(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

#[test]
fn a_reader_sees_the_value_before_or_after_a_swap() {
    check(|| {
        let cell = Cell::new();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || {
                    let ticket = cell.hold(Mode::Shared);
                    let value = cell.read();
                    assert!(value == 1 || value == 2);
                    assert_eq!(cell.read(), value);
                    cell.lock.release(ticket);
                })
            })
            .collect();
        // Under loom no time passes.
        let end = Patience::Until(Instant::now() + Duration::from_secs(1));
        let ticket = cell.try_hold(Mode::Exclusive, end).unwrap();
        cell.write(2);
        cell.lock.release(ticket);
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(cell.lock.holders().is_empty());
    });
}

#[test]
fn a_reader_that_reads_again_does_not_wait_for_a_swap_that_waits_for_it() {
    check(|| {
        let cell = Cell::new();
        let swap = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                let ticket = cell.hold(Mode::Exclusive);
                cell.write(2);
                cell.lock.release(ticket);
            })
        };
        let first = cell.hold(Mode::Shared);
        let again = cell.hold(Mode::Shared);
        let value = cell.read();
        cell.lock.release(first);
        assert_eq!(cell.read(), value);
        cell.lock.release(again);
        swap.join().unwrap();
    });
}

#[test]
fn a_writer_and_a_swap_come_one_after_the_other() {
    check(|| {
        let cell = Cell::new();
        let writer = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                let ticket = cell.hold(Mode::Exclusive);
                cell.write(cell.read() + 10);
                cell.lock.release(ticket);
            })
        };
        let swapped = cell
            .try_hold(Mode::Exclusive, Patience::None)
            .map(|ticket| {
                cell.write(cell.read() + 1);
                cell.lock.release(ticket);
            });
        writer.join().unwrap();
        let ticket = cell.hold(Mode::Shared);
        assert_eq!(cell.read(), if swapped.is_some() { 12 } else { 11 });
        cell.lock.release(ticket);
    });
}

#[test]
fn what_a_swap_leaves_behind_lets_readers_in_and_no_writer() {
    check(|| {
        let cell = Cell::new();
        let ticket = cell.hold(Mode::Exclusive);
        let reader = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                let ticket = cell.hold(Mode::Shared);
                assert_eq!(cell.read(), 1);
                cell.lock.release(ticket);
            })
        };
        cell.lock.share(&ticket);
        // The reader comes to its end while this one still reads.
        assert_eq!(cell.read(), 1);
        assert!(cell.try_hold(Mode::Exclusive, Patience::None).is_none());
        let who = &cell.lock.holders()[0].who;
        assert_eq!((who.mark(), who.location.file()), (1, file!()));
        reader.join().unwrap();
        cell.lock.release(ticket);
        let ticket = cell.hold(Mode::Exclusive);
        cell.write(2);
        cell.lock.release(ticket);
    });
}
