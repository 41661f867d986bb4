//! Conversations over a socket pair, with an engine that only counts.

mod fake;

use std::io::Write as _;
use std::sync::Mutex;
use std::thread;

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::message::PROTOCOL;

use super::*;
use fake::Fake;

const PATIENT: Limits = Limits {
    message: Duration::from_secs(60),
    transaction: Duration::from_secs(60),
};

fn hello() -> Request {
    Request::Hello {
        protocol: PROTOCOL,
        tool: "test".into(),
    }
}

fn prepare(label: &str) -> Request {
    let mut manifest = Manifest::new(BuildId::from_bytes(&[1]).unwrap());
    manifest.label = Some(label.to_owned());
    Request::Prepare {
        manifest: Box::new(manifest),
    }
}

fn brief(response: &Response) -> String {
    match response {
        Response::Hello(_) => "hello".into(),
        Response::Prepared { version, .. } => format!("prepared {version}"),
        Response::Committed { version, .. } => format!("committed {version}"),
        Response::Aborted {} => "aborted".into(),
        Response::Status(_) => "status".into(),
        Response::Servers(_) => "servers".into(),
        Response::Error { code, .. } => format!("{code:?}"),
        other => format!("{other:?}"),
    }
}

fn ask(mut stream: &UnixStream, request: &Request) -> String {
    frame::write(&mut stream, request).unwrap();
    answer(stream)
}

fn answer(mut stream: &UnixStream) -> String {
    frame::read(&mut stream).map_or_else(|error| error.to_string(), |answer| brief(&answer))
}

/// Runs `client` against a service, and gives what was done to the engine.
fn converse(limits: Limits, clients: impl FnOnce(&dyn Fn() -> UnixStream)) -> Vec<&'static str> {
    let engine = Fake {
        log: Mutex::default(),
        subscribers: Subscribers::new(),
    };
    let service = Service::new(&engine, limits);
    thread::scope(|scope| {
        let service = &service;
        clients(&|| {
            let (client, server) = UnixStream::pair().unwrap();
            scope.spawn(move || service.serve(&server));
            client
        });
    });
    engine.log.into_inner().unwrap()
}

/// Sends the requests on one connection and compares the answers, then what the engine saw.
fn check(requests: &[Request], answers: &[&str], expected: &[&str]) {
    let log = converse(PATIENT, |connect| {
        let client = connect();
        let found: Vec<String> = requests
            .iter()
            .map(|request| ask(&client, request))
            .collect();
        assert_eq!(found, answers);
    });
    assert_eq!(log, expected, "{answers:?}");
}

#[test]
fn conversations() {
    let (commit, abort, status) = (Request::Commit {}, Request::Abort {}, Request::Status {});
    check(&[hello(), status.clone()], &["hello", "status"], &[]);
    check(
        &[
            hello(),
            prepare(""),
            status.clone(),
            commit.clone(),
            status.clone(),
        ],
        &["hello", "prepared 1", "status", "committed 1", "status"],
        &["prepared", "kept"],
    );
    check(
        &[hello(), prepare(""), abort.clone(), commit.clone()],
        &["hello", "prepared 1", "aborted", "NothingPrepared"],
        &["prepared", "dropped"],
    );
    check(
        &[
            hello(),
            prepare(""),
            prepare(""),
            commit.clone(),
            commit.clone(),
        ],
        &[
            "hello",
            "prepared 1",
            "prepared 1",
            "committed 1",
            "NothingPrepared",
        ],
        &["prepared", "dropped", "prepared", "kept"],
    );
    check(
        &[hello(), prepare("bad"), abort, prepare(""), commit],
        &[
            "hello",
            "ImageInvalid",
            "aborted",
            "prepared 1",
            "committed 1",
        ],
        &["prepared", "kept"],
    );
    let (commit, status) = (Request::Commit {}, Request::Status {});
    check(
        &[
            hello(),
            prepare("fails"),
            commit.clone(),
            commit.clone(),
            prepare(""),
            commit,
        ],
        &[
            "hello",
            "prepared 1",
            "StateFailed",
            "NothingPrepared",
            "prepared 1",
            "committed 1",
        ],
        &["prepared", "dropped", "prepared", "kept"],
    );
    check(&[hello(), prepare("panic")], &["hello", "Internal"], &[]);
    check(&[status], &["BadRequest"], &[]);
    check(
        &[Request::Hello {
            protocol: 99,
            tool: String::new(),
        }],
        &["ProtocolMismatch"],
        &[],
    );
}

#[test]
fn orders_about_servers_leave_what_is_prepared() {
    let servers = |order| Request::Servers { order };
    let suspend = ServerOrder::Suspend {
        server: None,
        limit_ms: 7,
        only_while_connected: true,
    };
    check(
        &[
            hello(),
            prepare(""),
            servers(ServerOrder::List {}),
            servers(suspend),
            Request::Commit {},
        ],
        &[
            "hello",
            "prepared 1",
            "servers",
            "ServerBusy",
            "committed 1",
        ],
        &["prepared", "kept"],
    );
}

#[test]
fn what_is_held_back_goes_on_when_its_client_is_gone() {
    let suspend = |name: &str, only_while_connected| Request::Servers {
        order: ServerOrder::Suspend {
            server: Some(name.to_owned()),
            limit_ms: 7,
            only_while_connected,
        },
    };
    let server = Some("b".to_owned());
    let order = ServerOrder::Resume { server };
    let requests = [
        hello(),
        suspend("a", true),
        suspend("b", true),
        suspend("c", false),
        Request::Servers { order },
    ];
    let answers = ["hello", "servers", "servers", "servers", "servers"];
    let log = [
        "suspended a",
        "suspended other",
        "suspended other",
        "resumed other",
        "resumed a",
    ];
    check(&requests, &answers, &log);
}

#[test]
fn a_client_that_vanishes_has_aborted() {
    let log = converse(PATIENT, |connect| {
        let client = connect();
        ask(&client, &hello());
        assert_eq!(ask(&client, &prepare("")), "prepared 1");
    });
    assert_eq!(log, ["prepared", "dropped"]);
}

#[test]
fn a_client_that_vanishes_within_a_frame_has_aborted() {
    let log = converse(PATIENT, |connect| {
        let mut client = connect();
        ask(&client, &hello());
        ask(&client, &prepare(""));
        client.write_all(&[200, 0, 0, 0, b'{']).unwrap();
    });
    assert_eq!(log, ["prepared", "dropped"]);
}

#[test]
fn a_client_that_hangs_is_dropped_and_its_patch_too() {
    let short = Duration::from_millis(20);
    let hangs: [(Limits, &[u8]); 2] = [
        (
            Limits {
                transaction: short,
                ..PATIENT
            },
            b"",
        ),
        (
            Limits {
                message: short,
                ..PATIENT
            },
            &[9, 0, 0, 0, b'{'],
        ),
    ];
    for (limits, part) in hangs {
        let log = converse(limits, |connect| {
            let mut client = connect();
            ask(&client, &hello());
            ask(&client, &prepare(""));
            client.write_all(part).unwrap();
            assert_eq!(answer(&client), "BadRequest");
            assert_eq!(answer(&client), "the connection was closed");
            let next = connect();
            ask(&next, &hello());
            assert_eq!(ask(&next, &prepare("")), "prepared 1");
            assert_eq!(ask(&next, &Request::Commit {}), "committed 1");
        });
        assert_eq!(log, ["prepared", "dropped", "prepared", "kept"]);
    }
}

#[test]
fn a_client_that_never_greets_is_dropped() {
    let limits = Limits {
        message: Duration::from_millis(20),
        ..PATIENT
    };
    converse(limits, |connect| {
        let client = connect();
        assert_eq!(answer(&client), "BadRequest");
        assert_eq!(answer(&client), "the connection was closed");
    });
}

#[test]
fn one_transaction_at_a_time_and_status_meanwhile() {
    let log = converse(PATIENT, |connect| {
        let (first, second) = (connect(), connect());
        ask(&first, &hello());
        ask(&second, &hello());
        assert_eq!(ask(&first, &prepare("")), "prepared 1");
        assert_eq!(ask(&second, &Request::Status {}), "status");
        assert_eq!(ask(&second, &prepare("")), "Busy");
        assert_eq!(ask(&second, &Request::Commit {}), "NothingPrepared");
        assert_eq!(ask(&second, &Request::Abort {}), "aborted");
        assert_eq!(ask(&first, &Request::Commit {}), "committed 1");
        assert_eq!(ask(&second, &prepare("")), "prepared 1");
    });
    assert_eq!(log, ["prepared", "kept", "prepared", "dropped"]);
}

#[test]
fn a_revert_gives_up_what_its_client_has_prepared_and_waits_for_others() {
    let log = converse(PATIENT, |connect| {
        let (first, mut second) = (connect(), connect());
        ask(&first, &hello());
        ask(&second, &hello());
        assert_eq!(ask(&first, &prepare("")), "prepared 1");
        assert!(ask(&first, &Request::Revert {}).starts_with("Reverted { version: 3, to: 1"));
        assert_eq!(ask(&first, &prepare("")), "prepared 1");
        frame::write(&mut second, &Request::Revert {}).unwrap();
        assert_eq!(ask(&first, &Request::Commit {}), "committed 1");
        assert!(answer(&second).starts_with("Reverted"));
    });
    assert_eq!(
        log,
        [
            "prepared", "dropped", "reverted", "prepared", "kept", "reverted"
        ]
    );
}

#[test]
fn values_are_saved_when_no_swap_is_under_way() {
    let save = Request::Save { cells: Vec::new() };
    let log = converse(PATIENT, |connect| {
        let (first, mut second) = (connect(), connect());
        ask(&first, &hello());
        ask(&second, &hello());
        assert_eq!(ask(&first, &prepare("")), "prepared 1");
        frame::write(&mut second, &save).unwrap();
        assert_eq!(ask(&first, &Request::Commit {}), "committed 1");
        assert!(answer(&second).starts_with("Saved"));
        assert_eq!(ask(&second, &prepare("")), "prepared 1");
        assert!(ask(&second, &save).starts_with("Saved"));
        assert!(ask(&second, &Request::Restore {}).starts_with("Restored"));
    });
    assert_eq!(
        log,
        [
            "prepared", "kept", "saved", "prepared", "dropped", "saved", "restored"
        ]
    );
}

#[test]
fn a_subscriber_hears_all_until_it_leaves() {
    let engine = Fake {
        log: Mutex::default(),
        subscribers: Subscribers::new(),
    };
    let told = |number| Event::Version {
        number,
        state: hotswap_protocol::lifecycle::State::Current,
    };
    let service = Service::new(&engine, PATIENT);
    thread::scope(|scope| {
        let (mut client, server) = UnixStream::pair().unwrap();
        let served = scope.spawn(|| {
            let server = server;
            service.serve(&server);
        });
        ask(&client, &hello());
        assert_eq!(ask(&client, &Request::Events {}), "Subscribed");
        for number in 0..3 {
            assert!(engine.subscribers.tell(&told(number)));
            assert_eq!(frame::read::<Event>(&mut client).unwrap(), told(number));
        }
        drop(client);
        served.join().unwrap();
        assert!(!engine.subscribers.tell(&told(3)));
    });
}

#[test]
fn bad_messages() {
    let text = |text: &[u8]| [&(text.len() as u32).to_le_bytes(), text].concat();
    let table = [
        (text(b"{"), Some("status")),
        (text(br#"{"dance":{}}"#), Some("status")),
        (
            text(br#"{"prepare":{"manifest":{"format":1}}}"#),
            Some("status"),
        ),
        (vec![0xff; 4], None),
    ];
    for (bytes, next) in table {
        converse(PATIENT, |connect| {
            let mut client = connect();
            ask(&client, &hello());
            client.write_all(&bytes).unwrap();
            assert_eq!(answer(&client), "BadRequest", "{bytes:?}");
            match next {
                Some(next) => assert_eq!(ask(&client, &Request::Status {}), next),
                None => assert_eq!(answer(&client), "the connection was closed"),
            }
        });
    }
}
