//! A caller of a server against the server, under every schedule that loom finds.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::server::errors::{CallError, Reason};
use crate::server::waiter::Waiter;

/// A call, and how many replies lie ready for it.
struct Call {
    waiter: Waiter,
    replies: AtomicUsize,
}

impl Call {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            waiter: Waiter::new(),
            replies: AtomicUsize::new(0),
        })
    }

    /// As a server replies: the reply lies ready before the caller hears of it, and goes away if nobody
    /// wants it any more. Tells whether somebody did.
    fn reply(&self) -> bool {
        self.replies.fetch_add(1, Ordering::Relaxed);
        let wanted = self.waiter.answer();
        if !wanted {
            self.replies.fetch_sub(1, Ordering::Relaxed);
        }
        wanted
    }

    fn fetch(&self) {
        assert_eq!(self.replies.fetch_sub(1, Ordering::Relaxed), 1);
    }
}

#[test]
fn a_caller_that_waits_is_woken_by_its_reply() {
    loom::model(|| {
        let call = Call::new();
        let theirs = Arc::clone(&call);
        let server = thread::spawn(move || assert!(theirs.reply()));
        assert_eq!(call.waiter.wait(None), Some(Ok(())));
        call.fetch();
        server.join().unwrap();
        assert_eq!(call.replies.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_reply_is_fetched_or_dropped_by_exactly_one() {
    loom::model(|| {
        let call = Call::new();
        let theirs = Arc::clone(&call);
        let server = thread::spawn(move || theirs.reply());
        let ready = call.waiter.give_up();
        if ready {
            call.fetch();
        }
        assert_eq!(server.join().unwrap(), ready);
        assert_eq!(call.replies.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_call_that_is_answered_and_fails_does_one_of_both() {
    loom::model(|| {
        let call = Call::new();
        let (one, other) = (Arc::clone(&call), Arc::clone(&call));
        let server = thread::spawn(move || one.reply());
        let end = thread::spawn(move || {
            other.waiter.fail(CallError::Ended(Reason::Stopped));
        });
        let settled = call.waiter.wait(None);
        let answered = server.join().unwrap();
        end.join().unwrap();
        let expected = if answered {
            call.fetch();
            Ok(())
        } else {
            Err(CallError::Ended(Reason::Stopped))
        };
        assert_eq!(settled, Some(expected));
        assert_eq!(call.replies.load(Ordering::Relaxed), 0);
    });
}
