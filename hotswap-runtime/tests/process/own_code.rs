//! Swaps that bring no code.

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{ErrorCode, Request, Response};

use crate::program::{Program, ask, build_id};

pub(crate) fn swaps() {
    let mut program = Program::start("swaps");
    let build_id = build_id(&program).expect("the linker writes a build id");
    let (stream, _) = program.connect();
    let mut manifest = Manifest::new(build_id);
    manifest.label = Some("again".into());
    let prepare = Request::Prepare {
        manifest: Box::new(manifest),
    };
    for version in 1..=3 {
        let prepared = ask(&stream, &prepare);
        assert!(
            matches!(prepared, Response::Prepared { version: v, .. } if v == version),
            "{prepared:?}"
        );
        // Whoever else looks sees nothing of it.
        assert_eq!(program.order("status"), format!("{} true", version - 1));
        let committed = ask(&stream, &Request::Commit {});
        assert!(
            matches!(committed, Response::Committed { version: v, .. } if v == version),
            "{committed:?}"
        );
        assert_eq!(program.line(), format!("swapped {} {version}", version - 1));
        assert_eq!(program.order("status"), format!("{version} true"));
    }
    let Response::Status(status) = ask(&stream, &Request::Status {}) else {
        panic!("no status")
    };
    let states: Vec<State> = status
        .versions
        .iter()
        .map(|version| version.state)
        .collect();
    assert_eq!(
        states,
        [
            State::Retained,
            State::Retained,
            State::Retained,
            State::Current
        ]
    );
    assert_eq!(status.versions[3].label.as_deref(), Some("again"));
    program.end();
}

pub(crate) fn refuses() {
    let mut program = Program::start("refuses");
    let (stream, _) = program.connect();
    let other = BuildId::from_bytes(&[1, 2, 3]).unwrap();
    let request = Request::Prepare {
        manifest: Box::new(Manifest::new(other)),
    };
    match ask(&stream, &request) {
        Response::Error {
            code: ErrorCode::WrongHost,
            message,
        } => {
            assert!(message.contains("build id 010203"), "{message}");
        }
        response => panic!("{response:?}"),
    }
    assert_eq!(program.order("status"), "0 true");
    program.end();
}
