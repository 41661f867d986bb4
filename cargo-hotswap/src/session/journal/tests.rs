//! What events leave behind.

use std::path::PathBuf;

use super::{FOLLOWER_LINES, Journal, KEPT_LINES};
use crate::death::Death;
use crate::events::{Builder, Event, Phases};
use crate::status::{Activity, RunStatus, SwapOutcome};

fn changed() -> Event {
    Event::Changed {
        files: vec![PathBuf::from("src/main.rs")],
        builder: Builder::Rustc,
    }
}

fn swapped(version: u64, reverts_to: Option<u64>) -> Event {
    Event::Swapped {
        version,
        reverts_to,
        files: vec![PathBuf::from("src/main.rs")],
        phases: Phases {
            compile: 100.0,
            load: 2.0,
            ..Phases::default()
        },
        compiled: Vec::new(),
        relinked: Vec::new(),
        entries: vec!["app::answer".to_owned()],
        reshaped: Vec::new(),
        still_old: Vec::new(),
        statics: Vec::new(),
        migrated: None,
        remarks: Vec::new(),
        warnings: Vec::new(),
    }
}

fn refused() -> Event {
    Event::Refused {
        reason: "layout",
        message: "\u{1b}[31mno\u{1b}[0m".to_owned(),
        items: Vec::new(),
        places: Vec::new(),
    }
}

fn after(events: &[Event]) -> RunStatus {
    let journal = Journal::default();
    for event in events {
        journal.tell(event);
    }
    journal.status()
}

#[test]
fn edits_are_kept_with_their_outcomes() {
    let restarting = Event::Restarting {
        reason: "asked for".to_owned(),
    };
    let status = after(&[
        Event::Started { pid: 7 },
        changed(),
        refused(),
        changed(),
        swapped(1, None),
        changed(),
        swapped(2, None),
        swapped(3, Some(1)),
        restarting,
        Event::Started { pid: 8 },
        changed(),
        swapped(1, None),
    ]);
    let swaps = status.swaps.iter().map(|swap| {
        let outcome = swap.outcome.word();
        let (start, version) = (swap.start, swap.version.unwrap_or_default());
        format!(
            "{start} {outcome} {version} {:?} {} {}",
            swap.reverts_to,
            swap.first,
            swap.files.len()
        )
    });
    assert_eq!(
        swaps.collect::<Vec<_>>(),
        [
            "1 refused 0 None false 1",
            "1 swapped 1 None true 1",
            "1 swapped 2 None false 1",
            "1 swapped 3 Some(1) false 0",
            "2 swapped 1 None true 1",
        ]
    );
    let live = &status.swaps[1];
    assert_eq!(live.ms, 102.0);
    assert_eq!(live.phases[1].name, "compile");
    let starts = status.starts.iter().map(|start| (start.pid, start.version));
    assert_eq!(starts.collect::<Vec<_>>(), [(7, 3), (8, 1)]);
    assert_eq!(status.starts[1].reason.as_deref(), Some("asked for"));
    assert_eq!(status.starts[1].number, 2);
}

#[test]
fn an_error_lasts_until_something_goes_right() {
    let status = after(&[Event::Started { pid: 7 }, changed(), refused()]);
    let error = status.last_error.expect("an error");
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("refused", "no")
    );
    let mended = after(&[
        Event::Started { pid: 7 },
        changed(),
        refused(),
        changed(),
        swapped(1, None),
    ]);
    assert_eq!(mended.last_error, None);
    assert_eq!(mended.activity, Activity::Watching);
}

#[test]
fn an_end_is_kept() {
    let exited = |code, signal| Event::Exited {
        code,
        signal,
        death: Death::default(),
    };
    let status = after(&[Event::Started { pid: 7 }, exited(None, Some(11))]);
    let end = status.starts[0].end.as_ref().expect("an end");
    assert_eq!((end.code, end.signal), (None, Some(11)));
    assert_eq!(status.last_error.expect("an error").kind, "exited");
    let status = after(&[Event::Started { pid: 7 }, exited(Some(0), None)]);
    assert_eq!(status.last_error, None);
}

#[test]
fn followers_get_the_last_lines_and_all_that_come() {
    let journal = Journal::default();
    for _ in 0..KEPT_LINES + 5 {
        journal.tell(&changed());
    }
    let (id, lines) = journal.follow();
    journal.tell(&swapped(1, None));
    journal.unfollow(id);
    let lines: Vec<_> = lines.into_iter().collect();
    assert_eq!(lines.len(), KEPT_LINES + 1);
    assert!(lines[0].json.contains("\"changed\""), "{:?}", lines[0]);
    assert!(lines[KEPT_LINES].text.contains("Swapped"));
}

#[test]
fn a_follower_who_does_not_read_is_dropped() {
    let journal = Journal::default();
    let (_, lines) = journal.follow();
    for _ in 0..=FOLLOWER_LINES {
        journal.tell(&changed());
    }
    assert_eq!(lines.into_iter().count(), FOLLOWER_LINES);
    assert_eq!(SwapOutcome::default(), SwapOutcome::Failed);
}
