//! How long a server waits for those that it comes after.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine;
use crate::server::control::{Control, Phase};
use crate::server::registry;
use crate::sync::{Mutex, lock};
use crate::transaction;

/// A server that waits.
#[derive(Debug)]
struct Wait {
    server: u64,
    /// The types that it comes after, by their cells.
    after: Vec<usize>,
    version: u64,
    since: Instant,
    limit: Duration,
}

/// To the thread that looks at them one after the other, as their time is over one after the other.
static WAITS: Mutex<Option<Sender<Wait>>> = Mutex::new(None);

/// Has a server that waits go on in this version when its time is over. False if that can't be, for want of a
/// thread.
pub(super) fn watch(server: u64, after: Vec<usize>, version: u64) -> bool {
    let wait = Wait {
        server,
        after,
        version,
        since: Instant::now(),
        limit: transaction::limits().order,
    };
    let mut waits = lock(&WAITS);
    if waits.is_none() {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name("hotswap-order".to_owned());
        if thread.spawn(move || serve(&receiver)).is_err() {
            return false;
        }
        *waits = Some(sender);
    }
    waits.as_ref().is_some_and(|waits| waits.send(wait).is_ok())
}

fn serve(waits: &Receiver<Wait>) {
    for wait in waits {
        let Some(control) = registry::find(wait.server) else {
            continue;
        };
        let until = wait.since.checked_add(wait.limit);
        let goes_on = control.wait_until(until, |inner| {
            inner.waits_for_others == 0 || inner.phase != Phase::Running
        });
        if goes_on.map(drop).is_none() {
            give_up(&control, &wait);
        }
    }
}

/// Has a server wait no longer, and says for whom it did.
fn give_up(control: &Control, wait: &Wait) {
    let mut behind = registry::all();
    behind.retain(|other| {
        let is_before = wait.after.contains(&other.cell) && other.id != control.id;
        let inner = other.lock();
        is_before && inner.phase == Phase::Running && inner.version < wait.version
    });
    let behind = behind.iter().map(|other| other.title()).collect();
    control.change(|inner| {
        inner.is_first_in = wait.version;
        inner.waits_for_others = 0;
    });
    engine::out_of_order(control.title(), behind, wait.limit);
}
