//! Servers seen from outside: their state, and the holding back of messages.

use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{
    Activity, AnyHandle, Context, Init, Options, StateError, find, handles, resume_all, servers,
    suspend_all,
};

use crate::{Ask, LONG, Setup, Talker, Tell, alone, block, talker};

/// A server without a text of its own making.
#[derive(Migrate)]
struct Secret;

#[hotswap::server]
impl hotswap::Server for Secret {
    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self)
    }
}

/// A server that says itself what is shown.
#[derive(Migrate, Debug)]
struct Shown(u8);

#[hotswap::server]
impl hotswap::Server for Shown {
    type Args = u8;

    fn init(number: u8, _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self(number))
    }

    fn show(&self) -> Option<String> {
        assert!(self.0 < 9, "not that one");
        Some(format!("number {}", self.0))
    }
}

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

#[test]
fn a_state_is_shown_without_its_type() {
    let _alone = alone();
    let options = Options::new().name("outside-shown");
    let talker = options.spawn::<Talker>(Setup::default()).unwrap();
    talker.suspend(LONG).unwrap();
    let any = find("outside-shown").unwrap();
    assert_eq!(find(&talker.number().to_string()), Some(any));
    assert_eq!(any, AnyHandle::from(talker));
    let shown = any.state(LONG).unwrap();
    assert_eq!(shown, "Talker {\n    heard: [],\n    ends: None,\n}");
    any.resume();
    talker.stop(LONG).unwrap();
    assert_eq!(any.state(LONG).unwrap_err(), StateError::Gone);
    assert_eq!(find("outside-shown"), None);
    let secret = hotswap::server::spawn::<Secret>(()).unwrap();
    let error = AnyHandle::from(secret).state(LONG).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Secret` shows nothing: derive `Debug`"),
        "{error}"
    );
    secret.stop(LONG).unwrap();
    let shown = hotswap::server::spawn::<Shown>(7).unwrap();
    assert_eq!(AnyHandle::from(shown).state(LONG).unwrap(), "number 7");
    let was = shown.replace_state(LONG, Shown(9)).unwrap();
    assert_eq!(was.0, 7);
    let error = AnyHandle::from(shown).state(LONG).unwrap_err();
    assert_eq!(error, StateError::Panicked("not that one".to_owned()));
    // Its state is there still.
    assert_eq!(shown.with_state(LONG, |shown| shown.0), Ok(9));
    assert_eq!(handles::<Shown>(), [shown]);
    shown.stop(LONG).unwrap();
}

#[test]
fn servers_that_are_started_meanwhile_are_suspended_too() {
    let _alone = alone();
    let options = Options::new().name("outside-first");
    let first = options.spawn::<Talker>(Setup::default()).unwrap();
    suspend_all(LONG).unwrap();
    let born = talker();
    let later = born.ask(Ask::Heard).unwrap();
    // Its thread notices when it looks for messages.
    while born.status().unwrap().activity != Activity::Suspended {
        std::thread::yield_now();
    }
    resume_all();
    later.wait(LONG).unwrap();
    // Where it fails, none is, and none that is started afterwards.
    let (blocked, pending) = block(first);
    assert!(suspend_all(Duration::from_millis(1)).is_err());
    born.call(Ask::Heard).unwrap();
    let next = talker();
    next.call(Ask::Heard).unwrap();
    drop(blocked);
    pending.wait(LONG).unwrap();
    for talker in [first, born, next] {
        talker.stop(LONG).unwrap();
    }
}
