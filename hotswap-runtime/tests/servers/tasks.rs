//! Servers as futures, on what runs futures.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use hotswap::server::{CallError, Options, Reason, ServerLoop};

use crate::{Ask, LONG, Setup, Talker, Tell, alone};

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_loop_is_polled_until_the_server_ends() {
    let _alone = alone();
    let mut thread = None;
    let start = |server: ServerLoop| thread = Some(thread::spawn(move || block_on(server)));
    let options = Options::new().name("tasks-polled");
    let server = options.spawn_on::<Talker>(Setup::default(), start).unwrap();
    // More than are handled in one go.
    for _ in 0..100 {
        server.cast(Tell::Word("x".to_owned())).unwrap();
    }
    let heard = block_on(server.ask(Ask::Heard).unwrap()).unwrap();
    assert_eq!(heard.len(), 100);
    let shown = server.with_state(LONG, |talker| talker.heard.len());
    assert_eq!(shown.unwrap(), 100);
    server.suspend(LONG).unwrap();
    let later = server.ask(Ask::Heard).unwrap();
    server.resume();
    assert_eq!(block_on(later).unwrap().len(), 100);
    server.stop(LONG).unwrap();
    thread.unwrap().join().unwrap();
}

#[test]
fn a_loop_that_is_dropped_ends_its_server() {
    let _alone = alone();
    let mut kept = None;
    let server = Options::new()
        .spawn_on::<Talker>(Setup::default(), |server| kept = Some(server))
        .unwrap();
    let downs = server.monitor();
    let waiting = server.ask(Ask::Heard).unwrap();
    drop(kept);
    let error = waiting.wait(LONG).unwrap_err();
    assert_eq!(error, CallError::Ended(Reason::Abandoned));
    assert_eq!(downs.recv().unwrap().reason, Reason::Abandoned);
    assert!(!server.is_alive());
}

#[test]
fn a_start_that_fails_is_told_to_callers() {
    let _alone = alone();
    let mut kept = None;
    let fails = Setup {
        fails: true,
        ..Setup::default()
    };
    let start = |server: ServerLoop| kept = Some(server);
    let server = Options::new().spawn_on::<Talker>(fails, start).unwrap();
    let waiting = server.ask(Ask::Heard).unwrap();
    block_on(kept.unwrap());
    let error = waiting.wait(LONG).unwrap_err();
    let reason = Reason::NotStarted("told to fail".to_owned());
    assert_eq!(error, CallError::Ended(reason));
}
