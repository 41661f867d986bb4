//! Swaps of made-up entries, through the functions that macro output calls.

use std::collections::HashSet;
use std::sync::Mutex as StdMutex;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::boxed::FutureBox;
use crate::boxed::facts::Witness;
use crate::entry::{Arg, FUTURE};
use crate::gate::arity::{call0, call1};
use crate::gate::{Tracked, TrackedFuture, Untracked};
use crate::on_panic::{self, OnPanic};

/// The tests share the process's table.
static TURN: StdMutex<()> = StdMutex::new(());

pub(crate) fn turn() -> MutexGuard<'static, ()> {
    lock(&TURN)
}

type Body = fn(Arg<u64>) -> Arg<u64>;

/// An entry in one version, with its path, descriptor and body.
struct Made {
    path: String,
    descriptor: &'static Descriptor,
    body: Body,
}

fn made(path: &str, body: Body) -> Made {
    let descriptor = Box::leak(Box::new(Descriptor::new(
        "module::name",
        "fn name()",
        0,
        None,
    )));
    Made {
        path: path.to_owned(),
        descriptor,
        body,
    }
}

impl Made {
    fn binding(&self, fingerprint: &str) -> EntryBinding {
        EntryBinding {
            path: self.path.clone(),
            fingerprint: fingerprint.to_owned(),
            descriptor: self.descriptor,
            body: self.body as *const (),
        }
    }

    fn call_once(&self, argument: u64) -> u64 {
        call1::<Tracked, _, _>(self.descriptor, argument, self.body)
    }

    fn call(&self, argument: u64) -> u64 {
        let untracked = call1::<Untracked, _, _>(self.descriptor, argument, self.body);
        let tracked = call1::<Tracked, _, _>(self.descriptor, argument, self.body);
        assert_eq!(tracked, untracked);
        tracked
    }
}

fn swap(entries: Vec<EntryBinding>) -> TableReport {
    swap_without(entries, &[])
}

fn swap_without(entries: Vec<EntryBinding>, gone: &[&str]) -> TableReport {
    let gone = gone.iter().map(|&path| path.to_owned()).collect();
    let table = prepare(current_version() + 1, entries, gone).unwrap();
    let report = table.report();
    publish(table);
    report
}

fn of<'a>(list: &'a [String], prefix: &str) -> Vec<&'a str> {
    let ours = list.iter().map(String::as_str);
    ours.filter(|path| path.starts_with(prefix)).collect()
}

#[test]
fn calls_go_to_the_newest_body_and_back() {
    let _turn = turn();
    let host = made("replace::f", |Arg([x])| Arg([x + 1]));
    register_host(vec![host.binding("s")]).unwrap();
    register_host(vec![host.binding("s")]).unwrap();
    assert_eq!(host.call(1), 2);

    let image = made("replace::f", |Arg([x])| Arg([x + 10]));
    let report = swap(vec![image.binding("s")]);
    assert_eq!(of(&report.replaced, "replace"), ["replace::f"]);
    assert_eq!((host.call(1), image.call(1)), (11, 11));

    let report = swap(vec![]);
    assert_eq!(of(&report.replaced, "replace"), ["replace::f"]);
    assert_eq!((host.call(1), image.call(1)), (2, 2));
    assert_eq!(of(&swap(vec![]).replaced, "replace"), [""; 0]);
}

#[test]
fn callers_of_an_entry_that_is_gone_keep_its_last_body() {
    let _turn = turn();
    let host = made("gone::f", |Arg([x])| Arg([x + 1]));
    register_host(vec![host.binding("s")]).unwrap();
    let image = made("gone::f", |Arg([x])| Arg([x + 10]));
    swap(vec![image.binding("s")]);
    for _ in 0..2 {
        let report = swap_without(vec![], &["gone::f"]);
        assert_eq!(of(&report.replaced, "gone"), [""; 0]);
        assert_eq!(of(&report.carried, "gone"), ["gone::f"]);
        assert_eq!((host.call(1), image.call(1)), (11, 11));
    }
    let report = swap(vec![]);
    assert_eq!(of(&report.replaced, "gone"), ["gone::f"]);
    assert_eq!((host.call(1), image.call(1)), (2, 2));
}

#[test]
fn an_entry_that_was_called_early_is_adopted() {
    let _turn = turn();
    let host = made("early::f", |Arg([x])| Arg([x + 1]));
    assert_eq!(host.call(1), 2);
    register_host(vec![host.binding("s")]).unwrap();
    let image = made("early::f", |Arg([x])| Arg([x + 10]));
    assert_eq!(
        of(&swap(vec![image.binding("s")]).replaced, "early"),
        ["early::f"]
    );
    assert_eq!(host.call(1), 11);
}

#[test]
fn another_identity_is_another_slot() {
    let _turn = turn();
    let host = made("shape::f", |Arg([x])| Arg([x + 1]));
    register_host(vec![host.binding("s")]).unwrap();
    let second = made("shape::f", |Arg([x])| Arg([x + 10]));
    let new = made("shape::new", |Arg([x])| Arg([x + 5]));
    let report = swap(vec![second.binding("t"), new.binding("s")]);
    assert_eq!(of(&report.reshaped, "shape"), ["shape::f"]);
    assert_eq!(of(&report.added, "shape"), ["shape::new"]);
    assert_eq!((host.call(1), second.call(1), new.call(1)), (2, 11, 6));

    let third = made("shape::f", |Arg([x])| Arg([x + 100]));
    let report = swap(vec![third.binding("s")]);
    assert_eq!(of(&report.replaced, "shape"), ["shape::f"]);
    assert_eq!(of(&report.carried, "shape"), ["shape::new"]);
    assert_eq!((host.call(1), second.call(1), new.call(1)), (101, 11, 6));
}

#[test]
fn what_is_prepared_has_no_effect_until_it_is_published() {
    let _turn = turn();
    let host = made("abort::f", |Arg([x])| Arg([x + 1]));
    register_host(vec![host.binding("s")]).unwrap();
    let version = current_version();
    let image = made("abort::f", |Arg([x])| Arg([x + 10]));
    let table = prepare(version + 1, vec![image.binding("s")], HashSet::new()).unwrap();
    assert_eq!((host.call(1), current_version()), (2, version));
    assert_eq!(image.call(1), 11, "an image's hooks call its own code");
    drop(table);
    assert_eq!((host.call(1), current_version()), (2, version));
    assert_eq!(image.descriptor.slot(), 0);
    assert!(matches!(
        prepare(version, vec![], HashSet::new()),
        Err(RegisterError::Order { .. })
    ));
    let twice = vec![image.binding("s"), image.binding("t")];
    let error = prepare(version + 1, twice, HashSet::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("entry `abort::f` is there twice: "),
        "{error}"
    );
}

#[test]
fn calls_under_way_are_counted_to_the_version_that_began_them() {
    let _turn = turn();
    fn deep(Arg([depth]): Arg<u64>) -> Arg<u64> {
        match depth {
            0 => {
                assert_eq!(
                    in_flight(0)
                        .iter()
                        .find(|(p, _)| p == "count::f")
                        .unwrap()
                        .1,
                    4
                );
                swap(vec![]);
                Arg([0])
            }
            _ => Arg([host().call_once(depth - 1) + 1]),
        }
    }
    fn host() -> &'static Made {
        static HOST: std::sync::OnceLock<Made> = std::sync::OnceLock::new();
        HOST.get_or_init(|| made("count::f", deep))
    }
    register_host(vec![host().binding("s")]).unwrap();
    assert_eq!(host().call_once(3), 3);
    assert!(!in_flight(0).iter().any(|(path, _)| path == "count::f"));

    let image = made("count::f", |Arg([_])| panic!("as it should"));
    swap(vec![image.binding("s")]);
    let version = current_version();
    let panic = std::panic::catch_unwind(|| host().call_once(3));
    assert!(panic.is_err());
    assert_eq!(in_flight(version), []);
    swap(vec![]);
}

struct Async;

static ASYNC: Descriptor = Descriptor::new(
    "m::later",
    "async fn later()",
    0,
    Some(crate::boxed::facts::ask::<Async>),
);

impl Witness for Async {
    fn entry() -> &'static Descriptor {
        &ASYNC
    }
}

#[test]
fn a_future_counts_until_it_ends_on_whatever_thread() {
    let _turn = turn();
    let later = || {
        call0::<TrackedFuture, _>(&ASYNC, || {
            Arg([FutureBox::<_, ()>::new::<Async>(std::future::pending())])
        })
    };
    let future = std::thread::spawn(later).join().unwrap();
    let other = later();
    let count = || {
        let all = in_flight(0);
        all.iter()
            .find(|(path, _)| path == "m::later")
            .map(|(_, calls)| *calls)
    };
    assert_eq!(count(), Some(2));
    std::thread::spawn(move || {
        let mut future = std::pin::pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Pending);
    })
    .join()
    .unwrap();
    assert_eq!(count(), Some(1));
    drop(other);
    assert_eq!(count(), None);
}

#[test]
fn a_hidden_type_s_auto_traits_are_known() {
    let Some(facts) = ASYNC.hidden() else {
        panic!("it has a hidden type")
    };
    // `Pending<()>` is all of them.
    assert_eq!(
        facts,
        if cfg!(target_arch = "x86_64") {
            0b1111
        } else {
            0
        }
    );
}

#[test]
fn calls_of_dying_threads_are_counted() {
    let _turn = turn();
    struct CallsLate(&'static Made);
    impl Drop for CallsLate {
        fn drop(&mut self) {
            assert_eq!(self.0.call(1), 2);
        }
    }
    thread_local! {
        static LATE: std::cell::OnceCell<CallsLate> = const { std::cell::OnceCell::new() };
    }
    let host: &'static Made = Box::leak(Box::new(made("late::f", |Arg([x])| Arg([x + 1]))));
    register_host(vec![host.binding("s")]).unwrap();
    // Whichever of the two is destroyed first, one of the threads calls after the other's end.
    for late_first in [false, true] {
        std::thread::spawn(move || {
            if late_first {
                LATE.with(|late| _ = late.set(CallsLate(host)));
            }
            assert_eq!(host.call(1), 2);
            LATE.with(|late| _ = late.set(CallsLate(host)));
        })
        .join()
        .unwrap();
    }
    assert!(!in_flight(0).iter().any(|(path, _)| path == "late::f"));
}

#[test]
fn ten_thousand_swaps_take_no_more_memory_than_a_few() {
    let _turn = turn();
    let host = made("many::f", |Arg([x])| Arg([x + 1]));
    register_host(vec![host.binding("s")]).unwrap();
    let image = made("many::f", |Arg([x])| Arg([x + 10]));
    let state = || {
        let registry = registry();
        (registry.tables_made(), registry.counters_made())
    };
    for _ in 0..100 {
        swap(vec![image.binding("s")]);
    }
    let before = state();
    for _ in 0..10_000 {
        swap(vec![image.binding("s")]);
        assert_eq!(host.call(1), 11);
    }
    assert_eq!(state(), before);
    swap(vec![]);
}

#[test]
fn bodies_that_were_current_come_back_with_counters_of_their_own() {
    let _turn = turn();
    let (host, image) = (
        made("restored::a", |Arg([n])| Arg([n])),
        made("restored::b", |Arg([n])| Arg([n + 10])),
    );
    register_host(vec![host.binding("f")]).unwrap();
    let first = current_version() + 1;
    let step = |version: u64, made: &[&Made]| {
        let entries = made.iter().map(|made| made.binding("f")).collect();
        publish(prepare(version, entries, HashSet::new()).unwrap())
    };
    let of_image = made("restored::a", |Arg([n])| Arg([n + 1]));
    let before_first = step(first, &[&of_image]);
    assert_eq!((host.call(1), of_image.call(1)), (2, 2));
    let newest = made("restored::a", |Arg([n])| Arg([n + 2]));
    let before_second = step(first + 1, &[&newest, &image]);
    assert_eq!((host.call(1), newest.call(1), image.call(1)), (3, 3, 11));
    restore(first + 2, &before_second);
    // A slot that is younger stays.
    assert_eq!((host.call(1), newest.call(1), image.call(1)), (2, 2, 11));
    assert_eq!(current_version(), first + 2);
    restore(first + 3, &before_first);
    assert_eq!((host.call(1), newest.call(1)), (1, 1));
    assert_eq!(in_flight(first + 2), []);
}

/// A future that panics when it is polled.
struct Fails;

impl Future for Fails {
    type Output = u64;

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        panic!("a future that panics")
    }
}

static FAILING: Descriptor = Descriptor::new("p::failing", "fn failing()", FUTURE, None);

#[test]
fn a_future_that_unwinds_counts_and_one_that_is_dropped_does_not() {
    let _turn = turn();
    let fails: fn() -> Arg<Fails> = || Arg([Fails]);
    let version = current_version() + 1;
    let entry = EntryBinding {
        path: "p::failing".to_owned(),
        fingerprint: String::new(),
        descriptor: &FAILING,
        body: fails as *const (),
    };
    publish(prepare(version, vec![entry], HashSet::new()).unwrap());
    on_panic::set_on_panic(OnPanic::REVERT);
    on_panic::watch(version);
    drop(call0::<TrackedFuture, _>(&FAILING, fails));
    assert_eq!(on_panic::watched(), Some(version));
    assert!(counts(version, || {
        let future = std::pin::pin!(call0::<TrackedFuture, _>(&FAILING, fails));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(number) => number,
            Poll::Pending => 0,
        }
    }));
    on_panic::set_on_panic(OnPanic::Keep);
    assert_eq!(in_flight(version), []);
}

/// Calls the entry, which panics, after a swap to `version` that is watched. Whether that counted.
fn counts(version: u64, call: impl FnOnce() -> u64) -> bool {
    on_panic::watch(version);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    assert!(caught.is_err());
    on_panic::watched() != Some(version)
}

#[test]
fn panics_count_that_leave_an_entry_whose_code_came_with_the_last_swap() {
    let _turn = turn();
    let panics: Body = |_| panic!("a body that panics");
    let (edited, other) = (made("p::edited", panics), made("p::other", panics));
    register_host(vec![edited.binding("f"), other.binding("f")]).unwrap();
    let version = current_version() + 1;
    let patch = made("p::edited", panics);
    publish(prepare(version, vec![patch.binding("f")], HashSet::new()).unwrap());
    on_panic::set_on_panic(OnPanic::REVERT);
    // No engine runs in this process, so nothing else comes of it.
    assert!(counts(version, || edited.call_once(1)));
    assert!(!counts(version, || other.call_once(1)));
    assert!(!counts(version + 1, || edited.call_once(1)));
    assert!(!counts(version, || call1::<Untracked, _, _>(
        edited.descriptor,
        1,
        panics
    )));
    let stale = made("p::edited", |_| {
        on_panic::is_stale();
        panic!("a cell has another layout")
    });
    publish(prepare(version + 1, vec![stale.binding("f")], HashSet::new()).unwrap());
    assert!(!counts(version + 1, || edited.call_once(1)));
    on_panic::set_on_panic(OnPanic::Keep);
    assert_eq!(in_flight(version), []);
}
