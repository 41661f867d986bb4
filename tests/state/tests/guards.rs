//! Guards against migrations: who waits for whom, for how long, and what is said of it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use hotswap::__private::v0_1_0::Rehearsal;
use hotswap::{Live, Migrate, ReadGuard, SwapLimits, Unavailable, WriteGuard};
use hotswap_state::{Planner, cell, migrate_within};

mod v1 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct World {
        pub round: u64,
        pub gate: super::Gate,
    }
}

mod v2 {
    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct World {
        #[migrate(with = super::through_the_gate)]
        pub gate: Through,
        pub round: u64,
        pub fresh: String,
    }

    #[derive(hotswap::Migrate, Default, Debug, Clone, PartialEq)]
    pub struct Through(pub u64);
}

/// Where a hook waits, if it is told to.
#[derive(hotswap::Migrate, Default, Debug, Clone)]
struct Gate(Option<Arc<Mutex<Receiver<u64>>>>);

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_some() == other.0.is_some()
    }
}

fn through_the_gate(gate: &Gate) -> v2::Through {
    let number = gate.0.as_ref().map(|gate| gate.lock().unwrap().recv());
    v2::Through(number.map_or(0, Result::unwrap))
}

fn closed_gate() -> (Sender<u64>, Gate) {
    let (sender, receiver) = mpsc::channel();
    (sender, Gate(Some(Arc::new(Mutex::new(receiver)))))
}

const PATIENT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(60);

fn limits(guards: Duration, functions: Duration) -> SwapLimits {
    let mut limits = SwapLimits::default();
    (limits.guards, limits.functions) = (guards, functions);
    limits
}

/// Waits until an event that another thread brings about.
fn until(event: impl Fn() -> bool) {
    while !event() {
        thread::yield_now();
    }
}

fn is_busy<T>(outcome: Result<T, Unavailable>) -> bool {
    outcome.err() == Some(Unavailable::Busy)
}

#[test]
fn guards_may_be_sent_where_the_value_may() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<ReadGuard<'_, v1::World>>();
    is_send::<WriteGuard<'_, v1::World>>();
    is_sync::<ReadGuard<'_, v1::World>>();
    is_sync::<WriteGuard<'_, v1::World>>();
    is_send::<WriteGuard<'_, std::cell::Cell<u8>>>();
    is_sync::<Live<v1::World>>();
}

#[test]
fn who_holds_a_cell_is_told() {
    let cell = cell(v1::World::default);
    let (drop_it, wait) = mpsc::channel::<()>();
    let reader = async move {
        let guard = cell.read();
        let line = line!() - 1;
        wait.recv().unwrap();
        assert_eq!(guard.round, 0);
        line
    };
    let holder = thread::Builder::new().name("holder".into()).spawn(|| {
        let mut task = Box::pin(hotswap::task::named("reader", reader));
        match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(line) => line.expect("nobody ends it"),
            Poll::Pending => panic!("it waits for nothing"),
        }
    });
    until(|| is_busy(cell.try_write()));
    let outcome = migrate_within::<_, v2::World>(cell, &[], limits(SHORT, PATIENT));
    let error = outcome.unwrap_err();
    drop_it.send(()).unwrap();
    let line = holder.unwrap().join().unwrap();
    let expected = format!(
        "busy: `cell` was in use for 60ms: read at tests/state/tests/guards.rs:{line}:26 by thread `holder`, task `reader`, for "
    );
    assert!(error.starts_with(&expected), "{error}\n{expected}");
    let (cell, _) = migrate_within::<_, v2::World>(cell, &[], limits(PATIENT, PATIENT)).unwrap();
    assert_eq!(*cell.read(), v2::World::default());
}

#[test]
fn a_thread_that_reads_reads_again_while_a_swap_waits() {
    let cell = cell(v1::World::default);
    let first = cell.read();
    let swap = thread::spawn(|| {
        migrate_within::<_, v2::World>(cell, &[], limits(PATIENT, PATIENT)).map(|_| ())
    });
    // Others wait as soon as the swap does.
    thread::scope(|scope| {
        scope.spawn(|| until(|| is_busy(cell.try_read())));
    });
    let again = cell.read();
    assert_eq!(*first, *again);
    drop((first, again));
    swap.join().unwrap().unwrap();
}

/// Changes two cells in one transaction.
fn both(cells: [&'static Live<v1::World>; 2], limits: SwapLimits) -> Result<u64, String> {
    let migration = Planner::new(&[]).plan(v1::World::schema(), v2::World::schema());
    let mut rehearsal = Rehearsal::new(&migration);
    for (path, cell) in ["a", "b"].into_iter().zip(cells) {
        // SAFETY: the plan moves only fields whose types are the same; the cells are read as new
        // ones after success alone.
        unsafe { rehearsal.add::<_, v2::World>(path, cell, 0)? };
    }
    rehearsal.run(limits).map(|done| done.values)
}

fn as_new(cell: &'static Live<v1::World>) -> &'static Live<v2::World> {
    // SAFETY: tests call this after a transaction has succeeded.
    unsafe { &*std::ptr::from_ref(cell).cast() }
}

#[test]
fn a_thread_that_holds_one_cell_and_waits_for_another_does_not_stop_the_swap() {
    let cells = [cell(v1::World::default), cell(v1::World::default)];
    let [a, b] = cells;
    let held = b.write();
    let swap = thread::spawn(move || both(cells, limits(PATIENT, PATIENT)));
    // The swap has `a`, and waits for `b`.
    until(|| is_busy(a.try_write()));
    a.write().round = 1;
    drop(held);
    assert_eq!(swap.join().unwrap(), Ok(2));
    assert_eq!(as_new(a).read().round, 1);
}

#[test]
fn all_cells_change_or_none() {
    let cells = [cell(v1::World::default), cell(v1::World::default)];
    let (sender, gate) = closed_gate();
    // A hook that panics, in the second cell.
    drop(sender);
    cells[1].write().gate = gate;
    cells[0].write().round = 5;
    let error = both(cells, limits(PATIENT, PATIENT)).unwrap_err();
    assert!(
        error.starts_with("failed: cell `b`, field `gate`"),
        "{error}"
    );
    assert_eq!(cells[0].read().round, 5);
    cells[1].write().gate = Gate(None);
    assert_eq!(both(cells, limits(PATIENT, PATIENT)), Ok(2));
    assert_eq!(as_new(cells[0]).read().round, 5);
}

#[test]
fn a_hook_that_does_not_return_is_left_behind() {
    let cells = [cell(v1::World::default), cell(v1::World::default)];
    let (open, gate) = closed_gate();
    cells[1].write().gate = gate;
    cells[1].write().round = 8;
    let error = both(cells, limits(PATIENT, SHORT)).unwrap_err();
    assert!(
        error.starts_with("stuck: a function that makes the new value of `b` has not"),
        "{error}"
    );
    // The cell that it does not read is as free as ever.
    cells[0].write().round = 3;
    // The other one can be read, but neither written nor changed.
    assert_eq!(cells[1].read().round, 8);
    assert!(is_busy(cells[1].try_write()));
    let error = both(cells, limits(SHORT, SHORT)).unwrap_err();
    assert!(
        error.contains("`b` was in use for 60ms: read by a migration that was given up"),
        "{error}"
    );
    // When it returns, all is as it was.
    open.send(1).unwrap();
    until(|| cells[1].try_write().is_ok());
    assert_eq!(cells[1].read().round, 8);
    open.send(2).unwrap();
    assert_eq!(both(cells, limits(PATIENT, PATIENT)), Ok(2));
    let new = as_new(cells[1]).read();
    assert_eq!((new.round, new.gate.0), (8, 2));
}

#[test]
fn a_hook_that_takes_long_but_moves_on_is_waited_for() {
    let cell = cell(v1::World::default);
    let (open, gate) = closed_gate();
    cell.write().gate = gate;
    let swap = thread::spawn(move || {
        migrate_within::<_, v2::World>(cell, &[], limits(PATIENT, PATIENT)).map(|_| ())
    });
    until(|| is_busy(cell.try_read()));
    open.send(4).unwrap();
    swap.join().unwrap().unwrap();
    assert_eq!(as_new(cell).read().gate, v2::Through(4));
}

#[test]
fn an_initialiser_that_panics_leaves_the_cell_without_value() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static PANICS: AtomicBool = AtomicBool::new(true);
    let cell = cell(|| {
        assert!(!PANICS.load(Ordering::SeqCst), "not yet");
        7_u64
    });
    for _ in 0..2 {
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| *cell.read()));
        assert!(panics.is_err());
    }
    PANICS.store(false, Ordering::SeqCst);
    assert_eq!(*cell.read(), 7);
}

#[test]
fn one_thread_makes_the_value() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MADE: AtomicU32 = AtomicU32::new(0);
    let cell = cell(|| MADE.fetch_add(1, Ordering::SeqCst));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(*cell.read(), 0));
        }
    });
    assert_eq!(MADE.load(Ordering::SeqCst), 1);
}
