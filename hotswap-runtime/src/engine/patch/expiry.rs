//! The thread that goes back from patches whose time is over, with nobody's help.

use std::thread;
use std::time::Duration;

use crate::engine::fork;
use crate::engine::listen;
use crate::engine::patch::stack::{self, Due};
use crate::sync::{AtomicU32, Ordering};

/// The pause before another attempt where state is in use, say.
const PAUSE: Duration = Duration::from_secs(1);

/// The process in which the thread was started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Takes note of another deadline.
pub(super) fn look() {
    stack::wake();
    let own = std::process::id();
    if stack::due_now() == Due::Never || STARTED.swap(own, Ordering::AcqRel) == own {
        return;
    }
    let spawned = listen::with_signals_blocked(|| {
        let builder = thread::Builder::new().name("hotswap-ttl".to_owned());
        builder.spawn(run)
    });
    if spawned.is_err() {
        // The next patch tries again.
        STARTED.store(0, Ordering::Release);
    }
}

fn run() {
    let mut failed = false;
    loop {
        fork::undivided(|| drop(stack::applied()));
        match stack::due_now() {
            Due::Never => stack::wait(None),
            Due::At(at) => stack::wait(Some(at)),
            Due::Now(digest) => {
                if failed {
                    thread::sleep(PAUSE);
                }
                // A forked child has no such thread.
                let Some(service) = listen::service() else {
                    return;
                };
                let outcome = service.in_turn(|| super::expire(digest, failed));
                failed = outcome.is_err();
            }
        }
    }
}
