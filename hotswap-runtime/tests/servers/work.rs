//! Named threads and tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::yield_now;

use hotswap::server::Pending;
use hotswap::{Ended, WorkKind, WorkStatus, end_work, task, thread, work};

use crate::{Ask, Counted, LONG, Talker, Tell, alone, talker};

fn listed(name: &str) -> Option<WorkStatus> {
    work().into_iter().find(|work| work.name == name)
}

#[test]
fn a_thread_that_waits_for_a_reply_can_be_ended() {
    let _alone = alone();
    let talker = talker();
    talker.suspend(LONG).unwrap();
    let caller = thread::spawn("work-caller", move || {
        talker
            .call_within(LONG, Ask::Heard)
            .map(|heard| heard.len())
    });
    let caller = caller.unwrap();
    while talker.status().unwrap().waiting == 0 {
        yield_now();
    }
    let status = listed("work-caller").unwrap();
    assert_eq!((status.kind, status.version), (WorkKind::Thread, 0));
    assert!(end_work(status.number));
    let end = caller.join().unwrap_err();
    assert_eq!(end.downcast_ref(), Some(&Ended));
    assert_eq!(listed("work-caller"), None);
    assert!(!end_work(status.number));
    // The call is handled all the same, and its reply dropped.
    talker.resume();
    talker.cast(Tell::Word("x".to_owned())).unwrap();
    assert_eq!(talker.call_within(LONG, Ask::Heard).unwrap(), ["x"]);
    talker.stop(LONG).unwrap();
}

#[test]
fn a_thread_ends_at_a_checkpoint_and_drops_what_it_has() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    let looper = thread::spawn("work-looper", || {
        let _counted = Counted::new(&ALIVE);
        loop {
            thread::checkpoint();
            yield_now();
        }
    });
    let looper = looper.unwrap();
    end_work(listed("work-looper").unwrap().number);
    assert!(looper.join().is_err_and(|end| end.is::<Ended>()));
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    // Other threads are not meant.
    thread::checkpoint();
}

struct Noted(AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_task_that_is_ended_is_woken_and_dropped() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    let talker = talker();
    talker.suspend(LONG).unwrap();
    let pending: Pending<Talker> = talker.ask(Ask::Heard).unwrap();
    let counted = Counted::new(&ALIVE);
    let mut task = Box::pin(task::named("work-task", async move {
        let _counted = counted;
        pending.await.is_ok()
    }));
    let noted = Arc::new(Noted(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&noted));
    let mut context = Context::from_waker(&waker);
    assert_eq!(task.as_mut().poll(&mut context), Poll::Pending);
    let status = listed("work-task").unwrap();
    assert_eq!(status.kind, WorkKind::Task);
    end_work(status.number);
    assert!(noted.0.load(Ordering::SeqCst), "it is woken");
    assert_eq!(task.as_mut().poll(&mut context), Poll::Ready(Err(Ended)));
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    assert_eq!(listed("work-task"), None);
    talker.stop(LONG).unwrap();
}
