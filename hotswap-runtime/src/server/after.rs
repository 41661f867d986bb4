//! Order between types of servers: whose `code_change` runs before whose.
//!
//! A server that comes after others waits, before its first turn in a new version, until all of them have
//! had theirs. They are told to have it without a message. Nobody waits for one whose handler waits for a
//! reply itself, since it may be the waiting one that is to reply; and for none for ever.

mod limit;

use std::cell::Cell;
use std::sync::Arc;

use crate::server::control::{Control, Phase};
use crate::server::waiter::Waiter;
use crate::server::{Server, registry};

/// Names the cell with the states of a type's servers, which tells types apart.
pub type States = fn() -> usize;

/// The cell of `S`.
#[must_use]
pub fn states_of<S: Server>() -> usize {
    std::ptr::from_ref(S::__cells().states).addr()
}

/// The place in the order of what comes after types with these places. The compiler computes it, so a type
/// that comes after itself, by whatever way, does not compile, and the compiler names the way.
#[must_use]
pub const fn place(after: &[usize]) -> usize {
    let (mut place, mut at) = (0, 0);
    while at < after.len() {
        if after[at] >= place {
            place = after[at] + 1;
        }
        at += 1;
    }
    place
}

/// Whether all servers of the types that this one comes after have had a turn in this version. If not,
/// they get one, and this server's loop has nothing to do until one of them has.
#[inline(never)]
pub(crate) fn all_before(control: &Control, after: &[States], version: u64) -> bool {
    if after.is_empty() || control.lock().is_first_in == version {
        return true;
    }
    let cells: Vec<usize> = after.iter().map(|states| states()).collect();
    for other in registry::all() {
        if cells.contains(&other.cell) && other.id != control.id {
            // Counted first, since its turn may end at once. The loop does not look before this turn ends.
            control.change(|inner| inner.waits_for_others += 1);
            if !is_behind(&other, control.id, version) {
                control.change(|inner| inner.waits_for_others -= 1);
            }
        }
    }
    let is_first = control.lock().waits_for_others == 0;
    is_first || !limit::watch(control.id, cells, version)
}

/// Whether a server is to have a turn in this version first; if so, tells it, and that `follower` waits.
fn is_behind(control: &Control, follower: u64, version: u64) -> bool {
    control.change(|inner| {
        let excused = inner.busy.is_some() && inner.waits_for_reply.is_some();
        let is_behind = inner.phase == Phase::Running && inner.version < version && !excused;
        if is_behind {
            inner.is_to_upgrade = true;
            inner.followers.push(follower);
        }
        is_behind
    })
}

impl Control {
    /// Has those look again that wait for this server.
    pub(crate) fn release_followers(&self) {
        let followers = std::mem::take(&mut self.lock().followers);
        for follower in followers.into_iter().filter_map(registry::find) {
            follower.change(|inner| {
                inner.waits_for_others = inner.waits_for_others.saturating_sub(1);
            });
        }
    }
}

thread_local! {
    /// The number of the server whose handler runs on this thread; 0 if none does.
    static RUNNING: Cell<u64> = const { Cell::new(0) };
}

/// A turn that is taken on this thread, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    before: u64,
}

impl Running {
    pub(crate) fn new(control: &Arc<Control>) -> Self {
        let before = RUNNING.replace(control.id);
        Self { before }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.before);
    }
}

/// The server whose handler runs on this thread, if one does.
fn running() -> Option<Arc<Control>> {
    let id = RUNNING.get();
    if id == 0 { None } else { registry::find(id) }
}

/// Says for which reply of another server the handler waits that runs on this thread, if one does.
// Not inlined into hot crates, whose images can't have thread-locals of the runtime.
#[inline(never)]
pub(crate) fn waits_for_reply(waiter: Option<&Arc<Waiter>>) {
    if let Some(control) = running() {
        control.change(|inner| inner.waits_for_reply = waiter.cloned());
        if waiter.is_some() {
            control.release_followers();
        }
    }
}

/// Whether a handler runs on this thread that was told to end.
#[inline(never)]
pub(crate) fn is_handler_ending() -> bool {
    running().is_some_and(|control| control.lock().is_handler_ending)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_place_is_after_all_that_come_before() {
        for (after, expected) in [(&[][..], 0), (&[0], 1), (&[0, 3, 1], 4)] {
            assert_eq!(place(after), expected);
        }
    }
}
