//! Threads and tasks that the program has given a name: whose code they run, and telling them to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::live::core::Mark;
use crate::live::versions;
use crate::server::waiter::Waiter;
use crate::sync::{Mutex, lock};
use crate::table;

/// What work is done by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkKind {
    /// A thread, by [`thread::spawn`](crate::thread::spawn).
    Thread,
    /// A future, by [`task::named`](crate::task::named).
    Task,
}

/// A thread or task as it was at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkStatus {
    /// Its number.
    pub number: u64,
    /// What it was called.
    pub name: String,
    /// What it is.
    pub kind: WorkKind,
    /// The version whose code began it, and which it runs until it calls an entry.
    pub version: u64,
    /// When it was begun.
    pub since: Instant,
    /// Whether it was told to end.
    pub is_ending: bool,
}

/// That a thread or task was told to end: what its handle has instead of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was told to end")]
pub struct Ended;

/// One thread or task.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) number: u64,
    name: String,
    kind: WorkKind,
    /// An address in the file whose code began it.
    mark: usize,
    since: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_ending: bool,
    /// Wakes a task.
    waker: Option<Waker>,
    /// The call that a thread waits for.
    waiter: Option<Arc<Waiter>>,
}

#[derive(Debug)]
struct All {
    next: u64,
    works: BTreeMap<u64, Arc<Work>>,
}

static ALL: Mutex<All> = Mutex::new(All {
    next: 1,
    works: BTreeMap::new(),
});

/// Work that is listed as long as this is there.
#[derive(Debug)]
pub(crate) struct Listed(pub(crate) Arc<Work>);

impl Listed {
    /// Lists work that code with this mark begins.
    pub(crate) fn new(name: String, kind: WorkKind, mark: &'static Mark) -> Self {
        let mut all = lock(&ALL);
        let number = all.next;
        all.next += 1;
        let work = Arc::new(Work {
            number,
            name,
            kind,
            mark: std::ptr::from_ref(mark).addr(),
            since: Instant::now(),
            state: Mutex::default(),
        });
        all.works.insert(number, Arc::clone(&work));
        Self(work)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&ALL).works.remove(&self.0.number);
    }
}

impl Work {
    pub(crate) fn is_ending(&self) -> bool {
        lock(&self.state).is_ending
    }

    /// Has the waker called when the work is told to end; true if it was.
    pub(crate) fn is_ending_or_wakes(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if !state.is_ending {
            state.waker = Some(waker.clone());
        }
        state.is_ending
    }

    /// Says which call the thread waits for, if any.
    pub(crate) fn waits_for(&self, waiter: Option<Arc<Waiter>>) {
        lock(&self.state).waiter = waiter;
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.is_ending = true;
        let (waker, waiter) = (state.waker.take(), state.waiter.take());
        drop(state);
        if let Some(waiter) = waiter {
            waiter.interrupt();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn version(&self) -> u64 {
        // Before the first patch nothing is known, and all is of version 0.
        versions::version_of(self.mark).unwrap_or(0)
    }

    fn status(&self) -> WorkStatus {
        WorkStatus {
            number: self.number,
            name: self.name.clone(),
            kind: self.kind,
            version: self.version(),
            since: self.since,
            is_ending: self.is_ending(),
        }
    }
}

/// What the task with this number is called, if it is there.
pub(crate) fn name_of(number: u64) -> Option<String> {
    let all = lock(&ALL);
    all.works.get(&number).map(|work| work.name.clone())
}

fn all() -> Vec<Arc<Work>> {
    lock(&ALL).works.values().cloned().collect()
}

/// All threads and tasks that were given a name and have not ended, in the order in which they began.
#[must_use]
pub fn work() -> Vec<WorkStatus> {
    all().iter().map(|work| work.status()).collect()
}

/// Tells the thread or task with this number to end; false if it has ended.
///
/// A task is dropped at its next poll. A thread unwinds where it calls a tracked entry or waits for a reply of a
/// [server](crate::server), or asks [`thread::checkpoint`](crate::thread::checkpoint).
pub fn end_work(number: u64) -> bool {
    let work = lock(&ALL).works.get(&number).cloned();
    let is_there = work.map(|work| work.end()).is_some();
    table::renew();
    is_there
}

/// Tells all threads and tasks to end that code of older versions than the current one began. Gives
/// their numbers.
pub fn end_old_work() -> Vec<u64> {
    let current = table::current_version();
    end_of_versions(|version| version < current)
}

/// Tells all threads and tasks to end that code of these versions began. Gives their numbers.
pub(crate) fn end_of_versions(meant: impl Fn(u64) -> bool) -> Vec<u64> {
    let mut works = all();
    works.retain(|work| meant(work.version()));
    for work in &works {
        work.end();
    }
    // So that each thread's next call of an entry looks whether it is to end.
    table::renew();
    works.iter().map(|work| work.number).collect()
}
