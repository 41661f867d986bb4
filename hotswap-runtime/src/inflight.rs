//! The records of all threads: given out at a thread's first call, taken back when it exits.

pub(crate) mod gate;
pub(crate) mod record;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    not(loom)
))]
pub(crate) mod unused;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    not(loom)
)))]
#[path = "inflight/unused/none.rs"]
pub(crate) mod unused;

use std::cell::Cell;
use std::ptr;

use record::{Counter, CounterId, Record};

use crate::sync::{Mutex, heavy_fence, lock};
use crate::table::switch::{Switch, Target};

/// Every record there ever was, and those that no thread owns now.
struct Records {
    all: Vec<&'static Record>,
    free: Vec<&'static Record>,
    /// For calls made while a thread is dying, when it has given its record back already.
    shared: Option<&'static Record>,
}

static RECORDS: Mutex<Records> = Mutex::new(Records {
    all: Vec::new(),
    free: Vec::new(),
    shared: None,
});

thread_local! {
    static RECORD: Cell<*const Record> = const { Cell::new(ptr::null()) };
    static OWNER: Owner = const { Owner };
}

/// Gives the thread's record back when the thread exits.
struct Owner;

impl Drop for Owner {
    fn drop(&mut self) {
        let record = RECORD.replace(ptr::null());
        // SAFETY: `RECORD` holds null or a record, and these are never freed.
        if let Some(record) = unsafe { record.as_ref() } {
            lock(&RECORDS).free.push(record);
        }
    }
}

/// Begins a counted call of `slot` on this thread's record, if that takes no more than to count it.
///
/// # Safety
///
/// As for [`Switch::body`].
#[inline(always)]
pub(crate) unsafe fn try_begin(switch: &Switch, slot: u32) -> Option<(Target, Place)> {
    // SAFETY: `RECORD` holds null or this thread's own record, and these are never freed.
    let record = unsafe { RECORD.get().as_ref() }?;
    // SAFETY: by this function's contract; the record is this thread's own.
    let (target, counter) = unsafe { switch.try_begin(slot, record) }?;
    Some((target, Place::own(counter)))
}

/// Begins a counted call of `slot`. The caller clears what is [`unused`] of the stack then.
///
/// # Safety
///
/// As for [`Switch::body`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn begin_slowly(switch: &Switch, slot: u32) -> (Target, Place) {
    // Tables that come while it waits are a reason to clear again.
    let stamp = switch.stamp();
    if let Some(record) = own_record() {
        record.set_cleared(stamp);
        // SAFETY: by the caller's contract; the record is this thread's own.
        let (target, counter) = unsafe { switch.begin(slot, record, || gate::arrive(record)) };
        return (target, Place::own(counter));
    }
    // SAFETY: by the caller's contract.
    let (target, counter) =
        unsafe { switch.begin_shared(slot, shared_record(), gate::arrive_unknown) };
    (target, Place::shared(counter))
}

/// Whether this thread has cleared its stack since the table is current. None if it has begun no counted
/// call yet, or is past its last one.
#[inline(always)]
pub(crate) fn has_cleared(switch: &Switch) -> Option<bool> {
    // SAFETY: `RECORD` holds null or this thread's own record, and these are never freed.
    let record = unsafe { RECORD.get().as_ref() };
    record.map(|record| record.is_cleared(switch.stamp()))
}

/// Notes that this thread clears its stack now. False if it does not keep a record any more.
#[cold]
#[inline(never)]
pub(crate) fn note_cleared(switch: &Switch) -> bool {
    let stamp = switch.stamp();
    let record = own_record();
    record.inspect(|record| record.set_cleared(stamp)).is_some()
}

/// Ends a counted call that began on whatever thread.
pub(crate) fn end(counter: CounterId) {
    match own_record() {
        Some(record) => record.counter(counter).end(),
        None => shared_record().counter(counter).end_shared(),
    }
}

/// Where a call is counted that ends on the thread it began on: a counter, and in the lowest bit
/// whether other threads write to it too.
///
/// A stack that is moved to another thread, as some coroutine libraries do, may end a call there.
/// The counter then loses an end now and then, and the version counts as in use for ever.
#[derive(Clone, Copy, Debug)]
pub struct Place(*const Counter);

impl Place {
    const SHARED: usize = 1;

    #[inline(always)]
    fn own(counter: &'static Counter) -> Self {
        Self(counter)
    }

    fn shared(counter: &'static Counter) -> Self {
        Self(ptr::from_ref(counter).map_addr(|address| address | Self::SHARED))
    }

    /// A place where nothing is counted that would ever be read.
    pub(crate) fn nowhere() -> Self {
        Self::shared(shared_record().counter(CounterId::NONE))
    }

    /// Whether calls with this counter are counted here. Not so in another thread than the one that
    /// the call began on.
    pub(crate) fn is_of(self, counter: CounterId) -> bool {
        let is_shared = self.0.addr() & Self::SHARED != 0;
        let record = if is_shared {
            Some(shared_record())
        } else {
            own_record()
        };
        let counter = record.and_then(|record| record.get(counter));
        counter
            .is_some_and(|counter| ptr::from_ref(counter).addr() == self.0.addr() & !Self::SHARED)
    }

    /// Counts the call as ended.
    #[inline(always)]
    pub(crate) fn end(self) {
        if self.0.addr() & Self::SHARED != 0 {
            return self.end_shared();
        }
        // SAFETY: without the bit it is the reference that `own` was given.
        unsafe { &*self.0 }.end();
    }

    #[cold]
    #[inline(never)]
    fn end_shared(self) {
        let counter = self.0.map_addr(|address| address & !Self::SHARED);
        // SAFETY: without the bit it is the reference that `shared` was given.
        unsafe { &*counter }.end_shared();
    }
}

/// This thread's own record; `None` when the thread is past giving it back.
fn own_record() -> Option<&'static Record> {
    // SAFETY: `RECORD` holds null or a record, and these are never freed.
    if let Some(record) = unsafe { RECORD.get().as_ref() } {
        return Some(record);
    }
    OWNER.try_with(|_| ()).ok()?;
    let mut records = lock(&RECORDS);
    let record = records.free.pop().unwrap_or_else(|| {
        let record: &'static Record = Box::leak(Box::new(Record::new()));
        records.all.push(record);
        record
    });
    // Its last owner's stack was another one.
    record.set_cleared(0);
    RECORD.set(record);
    Some(record)
}

fn shared_record() -> &'static Record {
    let mut records = lock(&RECORDS);
    if let Some(record) = records.shared {
        return record;
    }
    let record: &'static Record = Box::leak(Box::new(Record::new()));
    records.all.push(record);
    records.shared = Some(record);
    record
}

/// How many calls of each counter are under way.
pub(crate) fn in_flight(ids: &[CounterId]) -> Vec<u64> {
    heavy_fence();
    let records = lock(&RECORDS);
    record::in_flight(&records.all, ids)
}
