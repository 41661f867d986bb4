//! Flip against call, count against drain, under every schedule that loom finds.

use std::ptr;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::inflight::record::{Counter, CounterId, Record, in_flight};
use crate::table::switch::{AtGate, Switch, Tables, Target};

/// A made-up body: its address is its number, and it is counted under that number.
fn target(number: u32) -> Target {
    Target {
        body: ptr::without_provenance(number as usize),
        counter: CounterId::from_number(number).unwrap(),
    }
}

fn id(number: u32) -> CounterId {
    target(number).counter
}

/// At a closed table: waits for another thread's step.
fn wait() -> AtGate {
    thread::yield_now();
    AtGate::Waited
}

/// A switch on one slot, and its writing side.
struct World {
    switch: Switch,
    /// The second thread's record and the main thread's.
    records: [Record; 2],
}

impl World {
    fn new() -> (Arc<Self>, Tables) {
        let world = Arc::new(Self {
            switch: Switch::new(),
            records: [Record::new(), Record::new()],
        });
        let mut tables = Tables::new();
        tables.publish(&world.switch, 0, &[target(1)]);
        (world, tables)
    }

    /// Begins a call of slot 1 on a record, as the gate does.
    ///
    /// # Safety
    ///
    /// Only the calling thread may write to the record.
    unsafe fn begin(&self, record: usize) -> (Target, &Counter) {
        let record = &self.records[record];
        // SAFETY: slot 1 was published when the world was made.
        let first = unsafe { self.switch.try_begin(1, record) };
        // SAFETY: as above.
        first.unwrap_or_else(|| unsafe { self.switch.begin(1, record, wait) })
    }

    fn calls(&self, number: u32) -> u64 {
        in_flight(&[&self.records[0], &self.records[1]], &[id(number)])[0]
    }
}

fn check(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

#[test]
fn a_drained_version_has_no_call_and_gets_none() {
    check(|| {
        let (world, mut tables) = World::new();
        // What running old code touches, and taking it away too: loom tells if one does not happen
        // before the other.
        let old_code = Arc::new(UnsafeCell::new(()));
        let caller = {
            let (world, old_code) = (Arc::clone(&world), Arc::clone(&old_code));
            thread::spawn(move || {
                // SAFETY: this thread alone writes to the record.
                let (target, counter) = unsafe { world.begin(0) };
                assert_eq!(
                    target.body.addr() as u32,
                    if target.counter == id(1) { 1 } else { 2 }
                );
                if target.counter == id(1) {
                    old_code.with(|_| ());
                }
                counter.end();
            })
        };
        tables.publish(&world.switch, 1, &[target(2)]);
        if world.calls(1) == 0 {
            old_code.with_mut(|_| ());
        }
        caller.join().unwrap();
        assert_eq!((world.calls(1), world.calls(2)), (0, 0));
    });
}

#[test]
fn a_call_that_begins_after_a_flip_sees_it() {
    check(|| {
        let (world, mut tables) = World::new();
        let flipped = Arc::new(AtomicBool::new(false));
        let caller = {
            let (world, flipped) = (Arc::clone(&world), Arc::clone(&flipped));
            thread::spawn(move || {
                let after = flipped.load(Ordering::Acquire);
                // SAFETY: slot 1 was published.
                let body = unsafe { world.switch.body(1) }.addr();
                assert!(body == 1 || body == 2);
                if after {
                    assert_eq!((body, world.switch.version()), (2, 1));
                }
            })
        };
        tables.publish(&world.switch, 1, &[target(2)]);
        flipped.store(true, Ordering::Release);
        caller.join().unwrap();
    });
}

#[test]
fn a_table_that_is_written_again_is_not_taken_for_the_old_one() {
    check(|| {
        let (world, mut tables) = World::new();
        let last = Arc::new(AtomicUsize::new(1));
        let caller = {
            let (world, last) = (Arc::clone(&world), Arc::clone(&last));
            thread::spawn(move || {
                let before = last.load(Ordering::Acquire);
                // SAFETY: this thread alone writes to the record.
                let (target, counter) = unsafe { world.begin(0) };
                let number = target.body.addr();
                assert_eq!(
                    target.counter,
                    id(number as u32),
                    "body and counter of one version"
                );
                assert!(number >= before, "an older version than one seen before");
                counter.end();
            })
        };
        // Under loom three tables are used in turn: the third swap writes the first one again.
        for version in [2, 3, 4] {
            tables.publish(&world.switch, u64::from(version), &[target(version)]);
            last.store(version as usize, Ordering::Release);
        }
        caller.join().unwrap();
        assert_eq!((1..=4).map(|n| world.calls(n)).sum::<u64>(), 0);
    });
}

#[test]
fn a_call_under_way_is_seen_whatever_begins_beside_it() {
    check(|| {
        let (world, mut tables) = World::new();
        // SAFETY: only the main thread writes to record 1.
        let (_, mine) = unsafe { world.begin(1) };
        let caller = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                // SAFETY: this thread alone writes to the record.
                let (_, counter) = unsafe { world.begin(0) };
                counter.end();
            })
        };
        tables.publish(&world.switch, 1, &[target(2)]);
        assert!(world.calls(1) >= 1);
        mine.end();
        caller.join().unwrap();
        assert_eq!(world.calls(1), 0);
    });
}

#[test]
fn a_call_that_moves_to_another_thread_is_counted_until_its_end() {
    check(|| {
        let (world, mut tables) = World::new();
        let old_code = Arc::new(UnsafeCell::new(()));
        // SAFETY: only the main thread writes to record 1.
        let (target, _) = unsafe { world.begin(1) };
        assert_eq!(target.counter, id(1));
        let caller = {
            let (world, old_code) = (Arc::clone(&world), Arc::clone(&old_code));
            thread::spawn(move || {
                old_code.with(|_| ());
                world.records[0].counter(id(1)).end();
            })
        };
        tables.publish(&world.switch, 1, &[self::target(2)]);
        match world.calls(1) {
            0 => old_code.with_mut(|_| ()),
            calls => assert_eq!(calls, 1),
        }
        caller.join().unwrap();
        assert_eq!(world.calls(1), 0);
    });
}

#[test]
fn a_growing_table_holds_the_slot_that_was_assigned() {
    check(|| {
        let (world, mut tables) = World::new();
        let slot = Arc::new(AtomicUsize::new(1));
        let caller = {
            let (world, slot) = (Arc::clone(&world), Arc::clone(&slot));
            thread::spawn(move || {
                let slot = slot.load(Ordering::Acquire) as u32;
                // SAFETY: a slot is assigned after a table that has it was published.
                let body = unsafe { world.switch.body(slot) }.addr();
                assert_eq!(body, slot as usize);
            })
        };
        tables.publish(&world.switch, 0, &[target(1), target(2)]);
        slot.store(2, Ordering::Release);
        caller.join().unwrap();
    });
}

#[test]
fn what_is_purged_is_in_no_table_that_a_stalled_caller_reads() {
    check(|| {
        let (world, mut tables) = World::new();
        // The image: using it, and taking it out of memory.
        let image = Arc::new(UnsafeCell::new(()));
        let caller = {
            let (world, image) = (Arc::clone(&world), Arc::clone(&image));
            thread::spawn(move || {
                // SAFETY: this thread alone writes to the record.
                let (target, counter) = unsafe { world.begin(0) };
                assert_eq!(target.counter, id(target.body.addr() as u32));
                if target.counter == id(1) {
                    image.with(|_| ());
                }
                counter.end();
            })
        };
        tables.publish(&world.switch, 1, &[target(2)]);
        if world.calls(1) == 0 {
            tables.scrub(&world.switch, &[target(2)]);
            image.with_mut(|_| ());
        }
        // Tables that were scrubbed are used again.
        tables.publish(&world.switch, 2, &[target(3)]);
        caller.join().unwrap();
        assert_eq!((1..=3).map(|n| world.calls(n)).sum::<u64>(), 0);
    });
}

/// A swap that waits until the version before the current one is not in use, as a third one is to be loaded.
#[test]
fn a_third_version_that_waits_for_the_first_finds_no_call_in_it() {
    check(|| {
        let (world, mut tables) = World::new();
        // What calls of the first version use, and what the third one is loaded over.
        let first = Arc::new(UnsafeCell::new(()));
        let caller = {
            let (world, first) = (Arc::clone(&world), Arc::clone(&first));
            thread::spawn(move || {
                // SAFETY: this thread alone writes to the record.
                let (target, counter) = unsafe { world.begin(0) };
                if target.body.addr() == 1 {
                    first.with(|_| ());
                }
                counter.end();
            })
        };
        tables.publish(&world.switch, 1, &[target(2)]);
        // It is looked once, and refused else.
        let may_load = world.calls(1) == 0;
        if may_load {
            first.with_mut(|_| ());
            // The third version has the counter of the first.
            let third = Target {
                body: target(3).body,
                counter: id(1),
            };
            tables.publish(&world.switch, 2, &[third]);
        }
        caller.join().unwrap();
        assert_eq!((world.calls(1), world.calls(2)), (0, 0));
    });
}

#[test]
fn calls_wait_at_a_closed_table_so_that_what_is_drained_stays_so() {
    check(|| {
        let (world, mut tables) = World::new();
        // What a call uses, and a swap changes while none is under way.
        let state = Arc::new(UnsafeCell::new(()));
        let caller = {
            let (world, state) = (Arc::clone(&world), Arc::clone(&state));
            thread::spawn(move || {
                // SAFETY: this thread alone writes to the record.
                let (target, counter) = unsafe { world.begin(0) };
                assert_eq!(target.counter, id(target.body.addr() as u32));
                state.with(|_| ());
                counter.end();
            })
        };
        tables.close(&world.switch, &[target(1)]);
        let drained = world.calls(1) == 0;
        if drained {
            state.with_mut(|_| ());
        }
        tables.open();
        tables.publish(&world.switch, 1, &[target(2)]);
        caller.join().unwrap();
        assert_eq!((world.calls(1), world.calls(2)), (0, 0));
    });
}

#[test]
fn a_call_that_passes_a_closed_table_is_counted() {
    check(|| {
        let (world, mut tables) = World::new();
        let state = Arc::new(UnsafeCell::new(()));
        let caller = {
            let (world, state) = (Arc::clone(&world), Arc::clone(&state));
            thread::spawn(move || {
                // SAFETY: slot 1 was published, and this thread alone writes to the record.
                let (target, counter) =
                    unsafe { world.switch.begin(1, &world.records[0], || AtGate::Passes) };
                assert_eq!(target.counter, id(target.body.addr() as u32));
                if target.counter == id(1) {
                    state.with(|_| ());
                }
                counter.end();
            })
        };
        tables.close(&world.switch, &[target(1)]);
        tables.open();
        tables.publish(&world.switch, 1, &[target(2)]);
        if world.calls(1) == 0 {
            state.with_mut(|_| ());
        }
        caller.join().unwrap();
        assert_eq!((world.calls(1), world.calls(2)), (0, 0));
    });
}
