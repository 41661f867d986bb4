//! How servers end, and are started again.

use std::sync::mpsc::channel;
use std::time::Duration;

use hotswap::server::{CallError, Intensity, Options, Reason, Restart, SpawnError, whereis};

use crate::{Ask, LONG, Setup, Talker, Tell, alone, block, talker};

fn panicked(message: &str) -> Reason {
    Reason::Panicked(message.to_owned())
}

#[test]
fn after_a_panic_a_server_is_started_again_with_what_waits_for_it() {
    let _alone = alone();
    let (ends, has_ended) = channel();
    let setup = Setup {
        first: vec!["begin".to_owned()],
        ends: Some(ends),
        ..Setup::default()
    };
    let options = Options::new()
        .name("ends-again")
        .restart(Restart::OnFailure);
    let server = options.spawn::<Talker>(setup).unwrap();
    let downs = server.monitor();
    server.cast(Tell::Word("lost".to_owned())).unwrap();
    let (blocked, before) = block(server);
    let panics = server.ask(Ask::Panic("oh".to_owned())).unwrap();
    let after = server.ask(Ask::Heard).unwrap();
    drop(blocked);
    assert_eq!(before.wait(LONG).unwrap(), ["begin", "lost"]);
    let error = panics.wait(LONG).unwrap_err();
    assert_eq!(error, CallError::Ended(panicked("oh")));
    // The state is that of the start, the message was kept.
    assert_eq!(after.wait(LONG).unwrap(), ["begin"]);
    assert_eq!(has_ended.recv().unwrap(), panicked("oh"));
    let down = downs.recv().unwrap();
    assert_eq!((down.reason, down.restarts), (panicked("oh"), true));
    assert_eq!(down.name.as_deref(), Some("ends-again"));
    assert_eq!(server.status().unwrap().restarts, 1);
    // It is told again, also of the last end.
    server.stop(LONG).unwrap();
    assert_eq!(has_ended.recv().unwrap(), Reason::Stopped);
    let down = downs.recv().unwrap();
    assert_eq!((down.reason, down.restarts), (Reason::Stopped, false));
    assert!(downs.recv().is_err(), "nobody is left to tell");
}

#[test]
fn too_many_restarts_end_a_server() {
    let _alone = alone();
    let intensity = Intensity {
        restarts: 2,
        within: LONG,
    };
    let options = Options::new()
        .name("ends-often")
        .restart(Restart::OnFailure);
    let options = options.intensity(intensity);
    let server = options.spawn::<Talker>(Setup::default()).unwrap();
    let downs = server.monitor();
    for restarts in [true, true, false] {
        assert!(server.is_alive());
        let (blocked, before) = block(server);
        let panics = server.ask(Ask::Panic("again".to_owned())).unwrap();
        drop(blocked);
        before.wait(LONG).unwrap();
        panics.wait(LONG).unwrap_err();
        assert_eq!(downs.recv().unwrap().restarts, restarts);
    }
    assert!(!server.is_alive());
}

#[test]
fn what_a_server_says_itself_decides_whether_it_is_started_again() {
    let _alone = alone();
    for (restart, tell, expected) in [
        (
            Restart::Never,
            Tell::Fail,
            (Reason::Failed("told to".to_owned()), false),
        ),
        (
            Restart::OnFailure,
            Tell::Fail,
            (Reason::Failed("told to".to_owned()), true),
        ),
        (Restart::OnFailure, Tell::Finish, (Reason::Finished, false)),
        (Restart::Always, Tell::Finish, (Reason::Finished, true)),
        (Restart::Always, Tell::Stop, (Reason::Stopped, false)),
    ] {
        let options = Options::new().restart(restart);
        let server = options.spawn::<Talker>(Setup::default()).unwrap();
        let downs = server.monitor();
        server.cast(tell).unwrap();
        let down = downs.recv().unwrap();
        assert_eq!((down.reason, down.restarts), expected);
        server.stop(LONG).unwrap();
    }
}

#[test]
fn a_server_that_can_not_start_leaves_nothing() {
    let _alone = alone();
    let fails = Setup {
        fails: true,
        ..Setup::default()
    };
    let options = Options::new().name("ends-at-once").restart(Restart::Always);
    let error = options.clone().spawn::<Talker>(fails).unwrap_err();
    assert!(
        matches!(&error, SpawnError::Init(why) if why == "told to fail"),
        "{error}"
    );
    assert!(whereis::<Talker>("ends-at-once").is_none());
    // The name is free again.
    let server = options.clone().spawn::<Talker>(Setup::default()).unwrap();
    assert_eq!(whereis::<Talker>("ends-at-once"), Some(server));
    let taken = options.spawn::<Talker>(Setup::default()).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "another server has the name `ends-at-once`"
    );
    server.stop(LONG).unwrap();
    assert!(whereis::<Talker>("ends-at-once").is_none());
    server.stop(Duration::ZERO).unwrap();
}

#[test]
fn a_server_hears_of_the_end_of_another() {
    let _alone = alone();
    let watcher = talker();
    let options = Options::new().name("ends-watched");
    let watched = options.spawn::<Talker>(Setup::default()).unwrap();
    watcher.cast(Tell::Monitor(watched)).unwrap();
    watcher.call(Ask::Heard).unwrap();
    let downs = watched.monitor();
    watched.cast(Tell::Finish).unwrap();
    downs.recv().unwrap();
    let told = "down ends-watched: it has finished".to_owned();
    while watcher.call(Ask::Heard).unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(watcher.call(Ask::Heard).unwrap(), [told]);
    // Of one that has ended before.
    let (blocked, _) = block(watcher);
    watched.stop(LONG).unwrap();
    watcher.cast(Tell::Monitor(watched)).unwrap();
    drop(blocked);
    watcher.call(Ask::Heard).unwrap();
    let heard = watcher.call(Ask::Heard).unwrap();
    assert_eq!(heard.len(), 2, "{heard:?}");
    watcher.stop(LONG).unwrap();
}
