//! The counts of one thread: how many calls it has begun and ended, by counter.
//!
//! Only the owning thread writes to a record, so that counting is a load and a store. Whatever
//! thread ends a call counts it in its own record: only the sums over all records mean something.

use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// Names a counter: the bucket in the upper five bits, the place in it below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterId(pub(crate) u32);

const PLACE_BITS: u32 = 27;
/// The number of counters in the first bucket; each further one holds twice as many.
const FIRST_BUCKET: u32 = if cfg!(loom) { 1 } else { 64 };
/// Buckets up to 2^27 places.
const BUCKETS: usize = if cfg!(loom) { 3 } else { 22 };

impl CounterId {
    /// Counts calls that belong to no version; it is never reported.
    #[cfg(not(loom))]
    pub(crate) const NONE: Self = Self(0);

    /// What stands in the rows of a closed table: no record has such a counter.
    pub(crate) const GATE: Self = Self((BUCKETS as u32) << PLACE_BITS);

    /// The counter with the given running number; `None` once there are too many.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let shifted = number.checked_add(FIRST_BUCKET)?;
        let bucket = shifted.ilog2() - FIRST_BUCKET.ilog2();
        let place = shifted - (FIRST_BUCKET << bucket);
        ((bucket as usize) < BUCKETS).then_some(Self(bucket << PLACE_BITS | place))
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    #[inline(always)]
    fn place(self) -> usize {
        (self.0 & ((1 << PLACE_BITS) - 1)) as usize
    }
}

/// How many calls a thread has begun and ended under one id.
#[derive(Debug)]
pub struct Counter {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Counter {
    /// Counts a call as begun. To be called by the record's owner only.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        let begun = self.begun.load(Ordering::Relaxed).wrapping_add(1);
        self.begun.store(begun, Ordering::Relaxed);
    }

    /// Counts a call as ended. To be called by the record's owner only.
    ///
    /// The store releases: whoever sees the end sees the beginning too, also one on another
    /// thread, which handed the call over to this one.
    #[inline(always)]
    pub(crate) fn end(&self) {
        let ended = self.ended.load(Ordering::Relaxed).wrapping_add(1);
        self.ended.store(ended, Ordering::Release);
    }

    /// As [`Counter::begin`], for a record that several threads write to.
    #[cfg(not(loom))]
    pub(crate) fn begin_shared(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// As [`Counter::end`], for a record that several threads write to.
    #[cfg(not(loom))]
    pub(crate) fn end_shared(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// The counters of one thread.
#[derive(Debug)]
pub struct Record {
    /// The stamp of the table that was current when the owner last cleared what of its stack is not in use.
    cleared: AtomicUsize,
    /// The last one is that of [`CounterId::GATE`], and stays empty.
    buckets: [AtomicPtr<Counter>; BUCKETS + 1],
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            cleared: AtomicUsize::new(0),
            buckets: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
        }
    }

    /// Whether the owner has cleared its stack since the table with this stamp is current. Under loom it
    /// always has: nothing else hangs on it.
    #[inline(always)]
    pub(crate) fn is_cleared(&self, stamp: usize) -> bool {
        cfg!(loom) || self.cleared.load(Ordering::Relaxed) == stamp
    }

    /// Notes that the owner clears its stack. No table has the stamp 0.
    #[cfg(not(loom))]
    pub(crate) fn set_cleared(&self, stamp: usize) {
        self.cleared.store(stamp, Ordering::Relaxed);
    }

    /// How many calls this record counts as begun.
    pub(crate) fn begun(&self, id: CounterId) -> usize {
        self.get(id)
            .map_or(0, |counter| counter.begun.load(Ordering::Acquire))
    }

    /// How many calls this record counts as ended.
    pub(crate) fn ended(&self, id: CounterId) -> usize {
        self.get(id)
            .map_or(0, |counter| counter.ended.load(Ordering::Acquire))
    }

    /// The counter with this id, if any of its bucket was ever used.
    #[inline(always)]
    pub(crate) fn get(&self, id: CounterId) -> Option<&Counter> {
        // SAFETY: the number of the bucket comes from `CounterId::from_number`, the only maker of
        // ids, which checked it, or is that of `CounterId::GATE`.
        let bucket = unsafe { self.buckets.get_unchecked(id.bucket()) };
        let start = bucket.load(Ordering::Acquire);
        // SAFETY: a bucket that isn't null holds all the places its ids can name, for ever.
        (!start.is_null()).then(|| unsafe { &*start.add(id.place()) })
    }

    /// The counter with this id.
    #[inline(always)]
    pub(crate) fn counter(&self, id: CounterId) -> &Counter {
        match self.get(id) {
            Some(counter) => counter,
            None => self.make(id),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self, id: CounterId) -> &Counter {
        let places = (FIRST_BUCKET as usize) << id.bucket();
        let new: Box<[Counter]> = (0..places)
            .map(|_| Counter {
                begun: AtomicUsize::new(0),
                ended: AtomicUsize::new(0),
            })
            .collect();
        let new = Box::into_raw(new);
        let bucket = &self.buckets[id.bucket()];
        let start = match bucket.compare_exchange(
            std::ptr::null_mut(),
            new.cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => new.cast::<Counter>(),
            Err(other) => {
                // SAFETY: `new` came from `Box::into_raw` above and nobody has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: as in `get`.
        unsafe { &*start.add(id.place()) }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // The runtime never drops a record; tests do.
        for (bucket, start) in self.buckets.iter().enumerate() {
            let start = start.load(Ordering::Acquire);
            if !start.is_null() {
                let places = (FIRST_BUCKET as usize) << bucket;
                let counters = std::ptr::slice_from_raw_parts_mut(start, places);
                // SAFETY: `make` made it as a box of that many, and `self` is the only owner.
                drop(unsafe { Box::from_raw(counters) });
            }
        }
    }
}

/// How many calls of each counter are under way, over all `records`.
///
/// All ends are read before any beginning: a call that ends in between counts as under way, one
/// that is under way never counts as ended. The caller has passed a heavy fence since the counters
/// could last be begun anew.
pub(crate) fn in_flight(records: &[&Record], ids: &[CounterId]) -> Vec<u64> {
    let sum = |count: fn(&Record, CounterId) -> usize| -> Vec<usize> {
        let of = |id: &CounterId| {
            let counts = records.iter().map(|record| count(record, *id));
            counts.fold(0, usize::wrapping_add)
        };
        ids.iter().map(of).collect()
    };
    let ended = sum(Record::ended);
    let begun = sum(Record::begun);
    let difference = |(begun, ended): (usize, usize)| {
        // Counts may wrap; what is under way is little. Fewer beginnings than ends are seen while
        // a call that began after the fence ends, and mean that nothing is.
        let calls = begun.wrapping_sub(ended).cast_signed();
        u64::try_from(calls).unwrap_or(0)
    };
    begun.into_iter().zip(ended).map(difference).collect()
}
