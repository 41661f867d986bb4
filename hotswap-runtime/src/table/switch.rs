//! The table that calls go through, and the one store that changes it.
//!
//! A table is an array of rows. Row 0 is its head: the version, and a stamp. The memory of a table
//! is never given back and holds rows for ever, so that a thread may be stopped between loading
//! `current` and reading a row for as long as it likes: what it finds is a body of that very slot
//! that was, or is just becoming, current. A few tables are used in turn, so that any number of
//! swaps takes no more memory. A call that is counted reads the stamp before and after, as one
//! reads a sequence lock, and begins again if it has changed.

use std::ptr;

use crate::inflight::record::{Counter, CounterId, Record};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, heavy_fence, light_fence, light_must_be_full};

/// How many tables are used in turn. A thread would have to stand still between two instructions
/// for this many swaps to see a row that is being written.
const TABLES: usize = if cfg!(loom) { 3 } else { 16 };

/// The bit of a stamp that says that light fences have to be full ones.
const FULL_FENCE: usize = 1;

/// The bit of a stamp that says that no counted call begins: it waits before its version is chosen.
const CLOSED: usize = 2;

/// From one stamp to the next.
const STAMP: usize = 4;

/// One slot of a table: the code that a call runs, and what it is counted under.
///
/// In a table's head they are the version and the stamp.
#[derive(Debug)]
pub struct Row {
    body: AtomicPtr<()>,
    counter: AtomicUsize,
}

/// What a row is filled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) body: *const (),
    pub(crate) counter: CounterId,
}

impl Row {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Self {
            body: AtomicPtr::new(ptr::null_mut()),
            counter: AtomicUsize::new(FULL_FENCE),
        }
    }

    #[cfg(loom)]
    fn new() -> Self {
        Self {
            body: AtomicPtr::new(ptr::null_mut()),
            counter: AtomicUsize::new(FULL_FENCE),
        }
    }

    fn target(&self) -> Target {
        Target {
            body: self.body.load(Ordering::Acquire),
            counter: CounterId(self.counter.load(Ordering::Acquire) as u32),
        }
    }

    fn fill(&self, target: Target) {
        self.body.store(target.body.cast_mut(), Ordering::Relaxed);
        self.counter
            .store(target.counter.0 as usize, Ordering::Relaxed);
    }
}

/// The table of a program that has no entries yet.
#[cfg(not(loom))]
static EMPTY: [Row; 1] = [Row::new()];

/// The pointer that every call of an entry reads.
#[derive(Debug)]
pub struct Switch {
    current: AtomicPtr<Row>,
    /// While the current table is a closed one: what it would be if it were open.
    open: AtomicPtr<Row>,
}

/// What a call does at a closed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtGate {
    /// It has waited, and looks again.
    Waited,
    /// It begins nevertheless, since others wait for its thread.
    Passes,
}

impl Switch {
    /// A switch that stands on a table without slots, of version 0.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            current: AtomicPtr::new(ptr::from_ref(&EMPTY).cast::<Row>().cast_mut()),
            open: AtomicPtr::new(ptr::from_ref(&EMPTY).cast::<Row>().cast_mut()),
        }
    }

    /// A switch that stands on a table without slots, of version 0.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        let empty: &'static [Row] = Box::leak(Box::new([Row::new()]));
        Self {
            current: AtomicPtr::new(empty.as_ptr().cast_mut()),
            open: AtomicPtr::new(empty.as_ptr().cast_mut()),
        }
    }

    #[inline(always)]
    fn table(&self) -> *const Row {
        self.current.load(Ordering::Acquire)
    }

    /// Makes a table current, and everything that was begun before visible.
    fn turn_to(&self, table: *const Row) {
        self.current.store(table.cast_mut(), Ordering::Release);
        heavy_fence();
    }

    #[inline(always)]
    fn head(&self) -> &Row {
        // SAFETY: `current` always points to a table, which has a head and is never given back.
        unsafe { &*self.table() }
    }

    /// The version that calls go to.
    pub(crate) fn version(&self) -> u64 {
        self.head().body.load(Ordering::Relaxed).addr() as u64
    }

    /// The stamp of the table that is current: another one for each that is published.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn stamp(&self) -> usize {
        self.head().counter.load(Ordering::Acquire)
    }

    /// The code that a call of `slot` runs now.
    ///
    /// # Safety
    ///
    /// `slot` must be the number of a row of a table that was published, as seen by this thread.
    #[inline(always)]
    pub(crate) unsafe fn body(&self, slot: u32) -> *const () {
        // SAFETY: tables only grow, so every table published since has that row too.
        let row = unsafe { &*self.table().add(slot as usize) };
        row.body.load(Ordering::Relaxed)
    }

    /// Begins a counted call of `slot`: finds its code and counts the call in `record`.
    ///
    /// `None` if the table moved meanwhile or is closed, if `record` has not counted under that id
    /// before, or if its thread is to clear its stack first: then nothing has begun.
    ///
    /// # Safety
    ///
    /// As for [`Switch::body`]. Nobody but the calling thread may write to `record`.
    #[inline(always)]
    pub(crate) unsafe fn try_begin<'a>(
        &self,
        slot: u32,
        record: &'a Record,
    ) -> Option<(Target, &'a Counter)> {
        // SAFETY: by this function's contract.
        let seen = unsafe { self.look(slot) };
        if !record.is_cleared(seen.stamp) {
            return None;
        }
        let counter = record.get(seen.target.counter)?;
        counter.begin();
        if self.has_moved(&seen) {
            counter.end();
            return None;
        }
        Some((seen.target, counter))
    }

    /// Begins a counted call of `slot`, however often the table moves. At a closed table it asks
    /// `at_gate`, which waits or lets it pass.
    ///
    /// # Safety
    ///
    /// As for [`Switch::try_begin`].
    pub(crate) unsafe fn begin<'a>(
        &self,
        slot: u32,
        record: &'a Record,
        at_gate: impl Fn() -> AtGate,
    ) -> (Target, &'a Counter) {
        loop {
            // SAFETY: by this function's contract.
            let Some(seen) = (unsafe { self.look_open(slot, &at_gate) }) else {
                continue;
            };
            let counter = record.counter(seen.target.counter);
            counter.begin();
            if !self.has_moved(&seen) {
                return (seen.target, counter);
            }
            counter.end();
        }
    }

    /// As [`Switch::begin`], with a record that several threads write to.
    ///
    /// # Safety
    ///
    /// As for [`Switch::body`].
    #[cfg(not(loom))]
    pub(crate) unsafe fn begin_shared<'a>(
        &self,
        slot: u32,
        record: &'a Record,
        at_gate: impl Fn() -> AtGate,
    ) -> (Target, &'a Counter) {
        loop {
            // SAFETY: by this function's contract.
            let Some(seen) = (unsafe { self.look_open(slot, &at_gate) }) else {
                continue;
            };
            let counter = record.counter(seen.target.counter);
            counter.begin_shared();
            if !self.has_moved(&seen) {
                return (seen.target, counter);
            }
            counter.end_shared();
        }
    }

    /// Reads a row of an open table, or of what a closed one would be if it were open, for a call
    /// that passes. `None` after it has waited, or if the row is being written.
    ///
    /// # Safety
    ///
    /// As for [`Switch::body`].
    unsafe fn look_open(&self, slot: u32, at_gate: &impl Fn() -> AtGate) -> Option<Seen> {
        // SAFETY: by this function's contract.
        let mut seen = unsafe { self.look(slot) };
        if seen.stamp & CLOSED != 0 {
            if at_gate() == AtGate::Waited {
                return None;
            }
            let open = self.open.load(Ordering::Acquire);
            // SAFETY: whoever sees a closed table sees the open one that was stored before it, or
            // a later one; it has as many rows or more.
            seen.target = unsafe { &*open.add(slot as usize) }.target();
        }
        (seen.target.counter != CounterId::GATE).then_some(seen)
    }

    /// Reads a row, and the stamp it was read under.
    ///
    /// # Safety
    ///
    /// As for [`Switch::body`].
    #[inline(always)]
    unsafe fn look(&self, slot: u32) -> Seen {
        let table = self.table();
        // SAFETY: a table has a head and is never given back.
        let stamp = unsafe { &*table }.counter.load(Ordering::Acquire);
        // SAFETY: the table has this row, by the caller's contract and since tables only grow.
        let row = unsafe { &*table.add(slot as usize) };
        Seen {
            table,
            stamp,
            target: row.target(),
        }
    }

    /// Whether what was seen may be out of date. The caller has counted its call before it asks:
    /// if the answer is no, whoever moves the table from now on sees that count.
    #[inline(always)]
    fn has_moved(&self, seen: &Seen) -> bool {
        light_fence(seen.stamp & FULL_FENCE != 0);
        // In this order: who sees the table become current again sees its new stamp too.
        if !ptr::eq(self.table(), seen.table) {
            return true;
        }
        // SAFETY: a table has a head and is never given back.
        unsafe { &*seen.table }.counter.load(Ordering::Relaxed) != seen.stamp
    }
}

/// A row, as it was read.
struct Seen {
    table: *const Row,
    stamp: usize,
    target: Target,
}

/// The writing side of a [`Switch`]; there is one, behind the registry's lock.
#[derive(Debug)]
pub(crate) struct Tables {
    in_turn: Vec<&'static [Row]>,
    /// Tables that became too small.
    outgrown: Vec<&'static [Row]>,
    next: usize,
    stamp: usize,
    /// Whether tables are closed.
    closed: bool,
    #[cfg(all(test, not(loom)))]
    made: usize,
}

impl Tables {
    pub(crate) const fn new() -> Self {
        Self {
            in_turn: Vec::new(),
            outgrown: Vec::new(),
            next: 0,
            stamp: 0,
            closed: false,
            #[cfg(all(test, not(loom)))]
            made: 0,
        }
    }

    /// Makes `targets`, the rows from slot 1, what calls go to, as `version`.
    ///
    /// There may never be fewer than the time before. On return every thread that begins a call
    /// sees the new table, and what was begun on the old one is visible to this thread.
    pub(crate) fn publish(&mut self, switch: &Switch, version: u64, targets: &[Target]) {
        let mut table = self.fill(version, targets, false);
        if self.closed {
            switch.open.store(table.cast_mut(), Ordering::Release);
            table = self.fill(version, targets, true);
        }
        switch.turn_to(table);
    }

    /// Closes the table, which has these `targets`: until it is opened, counted calls wait before
    /// they begin. On return every thread that begins a call sees that, and what was begun before is
    /// visible to this thread.
    pub(crate) fn close(&mut self, switch: &Switch, targets: &[Target]) {
        self.closed = true;
        let open = switch.table();
        let closed = self.fill(switch.version(), targets, true);
        switch.open.store(open.cast_mut(), Ordering::Release);
        switch.turn_to(closed);
    }

    /// The next table that is published is open.
    pub(crate) fn open(&mut self) {
        self.closed = false;
    }

    /// Writes `targets` into all tables that are not current, so that no body is in any of them to which
    /// no call goes.
    ///
    /// A thread that still reads such a table finds a body that is current, and if it counts its call,
    /// that the table is not: as if the table were being filled.
    pub(crate) fn scrub(&mut self, switch: &Switch, targets: &[Target]) {
        if !self.closed {
            // Nobody asks for it before a table is closed, which sets it.
            switch
                .open
                .store(switch.table().cast_mut(), Ordering::Release);
        }
        let in_use = [
            switch.table(),
            switch.open.load(Ordering::Acquire).cast_const(),
        ];
        for table in self.outgrown.iter().chain(&self.in_turn) {
            if in_use.iter().any(|used| ptr::eq(*used, table.as_ptr())) {
                continue;
            }
            for (row, target) in table[1..].iter().zip(targets) {
                row.fill(*target);
            }
        }
    }

    /// Fills a free table.
    fn fill(&mut self, version: u64, targets: &[Target], closed: bool) -> *const Row {
        let table = self.free_table(targets.len() + 1);
        self.stamp += STAMP;
        let full = if light_must_be_full() { FULL_FENCE } else { 0 };
        // A thread may still be reading this table. If it sees one of the new rows it sees, after
        // its light fence, that the table stopped being current: that was before the last heavy
        // fence. Should it be current again by then, the stamp is another.
        for (row, target) in table[1..].iter().zip(targets) {
            let counter = if closed {
                CounterId::GATE
            } else {
                target.counter
            };
            row.fill(Target { counter, ..*target });
        }
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        table[0]
            .body
            .store(ptr::without_provenance_mut(version), Ordering::Relaxed);
        let closed = if closed { CLOSED } else { 0 };
        let stamp = self.stamp | full | closed;
        table[0].counter.store(stamp, Ordering::Release);
        table.as_ptr()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn made(&self) -> usize {
        self.made
    }

    /// A table that is not current, with room for `rows`.
    fn free_table(&mut self, rows: usize) -> &'static [Row] {
        let room = self.in_turn.first().map_or(0, |table| table.len());
        if room < rows {
            // The smaller tables stay where they are, since a thread may be reading one. They
            // double, so that all of them together take less than the largest.
            let room = rows.next_power_of_two().max(MIN_ROWS);
            self.outgrown.append(&mut self.in_turn);
            self.in_turn = (0..TABLES).map(|_| new_table(room)).collect();
            self.next = 0;
            #[cfg(all(test, not(loom)))]
            {
                self.made += TABLES;
            }
        }
        let table = self.in_turn[self.next];
        self.next = (self.next + 1) % TABLES;
        table
    }
}

const MIN_ROWS: usize = if cfg!(loom) { 2 } else { 64 };

fn new_table(rows: usize) -> &'static [Row] {
    Box::leak((0..rows).map(|_| Row::new()).collect())
}
