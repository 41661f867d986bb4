//! Calls, casts and other messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{CallError, Context, Handle, Init, SendError};

use crate::{Ask, Counted, LONG, Talker, Tell, alone, block, talker};

#[test]
fn messages_are_handled_in_the_order_in_which_they_were_sent() {
    let _alone = alone();
    let talker = talker();
    talker.cast(Tell::Word("a".to_owned())).unwrap();
    talker.info(7).unwrap();
    talker.cast(Tell::Word("b".to_owned())).unwrap();
    assert_eq!(talker.call(Ask::Heard).unwrap(), ["a", "7", "b"]);
    talker.stop(LONG).unwrap();
}

#[test]
fn a_late_reply_is_dropped_and_the_next_call_gets_its_own() {
    let _alone = alone();
    let talker = talker();
    let (blocked, slow) = block(talker);
    let limit = Duration::from_millis(1);
    let none = slow.wait(limit);
    assert_eq!(none.unwrap_err(), CallError::Timeout(limit));
    // Given up before it is handled.
    drop(talker.ask(Ask::Other(talker)).unwrap());
    drop(blocked);
    talker.cast(Tell::Word("x".to_owned())).unwrap();
    let heard = talker.call_within(LONG, Ask::Heard).unwrap();
    assert_eq!(heard, ["a server can't call itself, the same true", "x"]);
    talker.stop(LONG).unwrap();
}

#[test]
fn a_server_calls_another_of_its_type() {
    let _alone = alone();
    let (one, other) = (talker(), talker());
    other.cast(Tell::Word("x".to_owned())).unwrap();
    assert_eq!(one.call(Ask::Other(other)).unwrap(), ["1 words"]);
    one.stop(LONG).unwrap();
    assert_eq!(one.call(Ask::Heard).unwrap_err(), CallError::Gone);
    assert_eq!(one.cast(Tell::Finish).unwrap_err(), SendError::Gone);
    let heard = other.call(Ask::Other(one)).unwrap();
    assert_eq!(
        heard.last().unwrap(),
        "the server has ended, the same false"
    );
    other.stop(LONG).unwrap();
}

#[test]
fn nothing_that_waits_for_an_ended_server_stays() {
    let _alone = alone();
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    let talker = talker();
    let (blocked, first) = block(talker);
    let waiting = talker.ask(Ask::Carry(Counted::new(&ALIVE))).unwrap();
    talker.cast(Tell::Carry(Counted::new(&ALIVE))).unwrap();
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2);
    let busy = talker.stop(Duration::ZERO);
    assert!(busy.is_err());
    drop(blocked);
    talker.stop(LONG).unwrap();
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    // The handler that ran ended as usual; what waited was not begun.
    assert!(first.wait(LONG).is_ok());
    let error = waiting.wait(LONG).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server ended before it replied: it was told to stop"
    );
    let refused = talker.cast(Tell::Carry(Counted::new(&ALIVE)));
    assert_eq!(refused.unwrap_err(), SendError::Gone);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
}

/// Numbers its calls.
#[derive(Migrate)]
struct Teller {
    number: u64,
}

#[hotswap::server]
impl hotswap::Server for Teller {
    type Call = u64;
    type Reply = (u64, u64);

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { number: 0 })
    }

    fn handle_call(&mut self, call: u64, _: &mut Context<'_, Self>) -> (u64, u64) {
        self.number += 1;
        (call, self.number)
    }
}

#[test]
fn each_of_many_callers_gets_its_own_reply_once() {
    let _alone = alone();
    const CALLS: u64 = 200;
    let tellers: Arc<[Handle<Teller>]> = (0..4)
        .map(|_| hotswap::server::spawn::<Teller>(()).unwrap())
        .collect();
    let callers: Vec<_> = (0..8_u64)
        .map(|caller| {
            let tellers = Arc::clone(&tellers);
            thread::spawn(move || {
                let mut seen: Vec<(usize, u64)> = Vec::new();
                for number in 0..CALLS {
                    let which = ((caller + number) % 4) as usize;
                    let call = caller * CALLS + number;
                    let (echo, count) = tellers[which].call_within(LONG, call).unwrap();
                    assert_eq!(echo, call);
                    seen.push((which, count));
                }
                seen
            })
        })
        .collect();
    let mut seen: Vec<_> = callers
        .into_iter()
        .flat_map(|caller| caller.join().unwrap())
        .collect();
    seen.sort_unstable();
    // Each server has counted from one on, without a gap.
    let each = CALLS * 8 / 4;
    let expected: Vec<_> = (0..4)
        .flat_map(|which| (1..=each).map(move |count| (which, count)))
        .collect();
    assert_eq!(seen, expected);
    for teller in tellers.iter() {
        teller.stop(LONG).unwrap();
    }
}

/// Says nothing, and replies with nothing.
#[derive(Migrate)]
struct Quiet;

#[hotswap::server]
impl hotswap::Server for Quiet {
    type Call = ();

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self)
    }

    fn handle_call(&mut self, (): (), _: &mut Context<'_, Self>) {}
}

#[test]
fn types_of_messages_can_be_left_out() {
    let _alone = alone();
    let quiet = hotswap::server::spawn::<Quiet>(()).unwrap();
    quiet.call(()).unwrap();
    // A handle of one type is no handle of another.
    assert!(hotswap::server::whereis::<Talker>("quiet").is_none());
    quiet.stop(LONG).unwrap();
}
