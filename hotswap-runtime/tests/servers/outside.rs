//! Servers seen from outside: their state, and the holding back of messages.

use std::time::Duration;

use hotswap::server::{Activity, Options, StateError, resume_all, servers, suspend_all};

use crate::{Ask, LONG, Setup, Talker, Tell, alone, block, talker};

#[test]
fn a_suspended_server_keeps_its_messages() {
    let _alone = alone();
    let talker = talker();
    talker.suspend(LONG).unwrap();
    let later = talker.ask(Ask::Heard).unwrap();
    talker.cast(Tell::Word("x".to_owned())).unwrap();
    let status = talker.status().unwrap();
    assert_eq!((status.activity, status.waiting), (Activity::Suspended, 2));
    // Its state can be looked at and replaced meanwhile.
    let shown = talker.state(LONG).unwrap();
    assert_eq!(shown, "Talker { heard: [], ends: None }");
    let replace = |talker: &mut Talker| talker.heard = vec!["new".to_owned()];
    talker.with_state(LONG, replace).unwrap();
    talker.resume();
    assert_eq!(later.wait(LONG).unwrap(), ["new"]);
    assert_eq!(talker.call(Ask::Heard).unwrap(), ["new", "x"]);
    talker.stop(LONG).unwrap();
    assert_eq!(talker.state(LONG).unwrap_err(), StateError::Gone);
}

#[test]
fn a_suspended_server_can_be_stopped() {
    let _alone = alone();
    let talker = talker();
    talker.suspend(LONG).unwrap();
    let never = talker.ask(Ask::Heard).unwrap();
    talker.stop(LONG).unwrap();
    assert!(never.wait(LONG).is_err());
}

#[test]
fn a_busy_server_keeps_all_from_being_suspended_and_is_named() {
    let _alone = alone();
    let options = Options::new().name("outside-busy");
    let (busy, idle) = (options.spawn::<Talker>(Setup::default()).unwrap(), talker());
    let (blocked, pending) = block(busy);
    let error = suspend_all(Duration::from_millis(1)).unwrap_err();
    let [named] = error.servers.as_slice() else {
        panic!("{error}");
    };
    assert!(named.ends_with("Talker `outside-busy`"), "{named}");
    assert_eq!(
        busy.state(Duration::ZERO).unwrap_err(),
        StateError::Busy(Duration::ZERO)
    );
    // None is suspended.
    idle.call(Ask::Heard).unwrap();
    drop(blocked);
    pending.wait(LONG).unwrap();
    suspend_all(LONG).unwrap();
    let all = servers();
    let mine = all
        .iter()
        .filter(|server| [busy.number(), idle.number()].contains(&server.number));
    let activities: Vec<_> = mine.map(|server| server.activity).collect();
    assert_eq!(activities, [Activity::Suspended; 2]);
    resume_all();
    idle.call(Ask::Heard).unwrap();
    busy.stop(LONG).unwrap();
    idle.stop(LONG).unwrap();
}

#[test]
fn a_panic_of_who_looks_leaves_the_state() {
    let _alone = alone();
    let talker = talker();
    talker.cast(Tell::Word("x".to_owned())).unwrap();
    talker.call(Ask::Heard).unwrap();
    let looked = std::panic::catch_unwind(|| talker.with_state(LONG, |_| panic!("seen enough")));
    assert!(looked.is_err());
    assert_eq!(talker.call(Ask::Heard).unwrap(), ["x"]);
    talker.stop(LONG).unwrap();
}
