//! The events as people and programs see them. `INSTA_UPDATE=always cargo test -p cargo-hotswap
//! events` writes what is expected anew.

use std::path::{Path, PathBuf};

use super::render::{self, Look, human};
use super::{
    BackCause, Builder, CarriedCell, Event, FreshCell, Migrated, MigratedType, OldCause, Phases,
    Place, StaticReport, StillOld, schema,
};
use crate::death::{Death, Fault, Frame};

/// One event of each kind and shape, by the name of its snapshot.
fn examples() -> Vec<(&'static str, Event)> {
    vec![
        (
            "built",
            Event::Built {
                executable: "/w/target/debug/app".into(),
                ms: 1234.5,
                warnings: Vec::new(),
            },
        ),
        (
            "running",
            Event::Running {
                command: words(&["target/debug/app", "--name=x", "two words", "it's"]),
            },
        ),
        ("started", Event::Started { pid: 4711 }),
        ("ready", ready(&["app::greet"])),
        ("ready-many", ready(&MANY)),
        ("ready-without-entries", ready(&[])),
        (
            "changed",
            Event::Changed {
                files: files(&["src/main.rs", "src/room.rs"]),
                builder: Builder::Rustc,
            },
        ),
        (
            "changed-for-cargo",
            Event::Changed {
                files: files(&["Cargo.toml", "build.rs"]),
                builder: Builder::Cargo,
            },
        ),
        ("compile-error", compile_error()),
        ("swapped", swapped(&["src/main.rs"], &["app::greet"])),
        ("swapped-many", swapped_many()),
        ("reverted", reverted()),
        ("went-back", went_back(BackCause::Panic)),
        ("went-back-by-its-own", went_back(BackCause::Program)),
        (
            "version",
            Event::Version {
                version: 2,
                state: "draining".to_owned(),
            },
        ),
        ("swapped-against-expectation", swapped_against_expectation()),
        ("swapped-with-state", swapped_with_state()),
        ("refused", refused()),
        (
            "unchanged",
            Event::Unchanged {
                files: files(&["src/main.rs"]),
            },
        ),
        (
            "failed",
            Event::Failed {
                message: "the patch was not loaded: no space left on device".to_owned(),
            },
        ),
        (
            "warning",
            Event::Warning {
                message: "this package does not depend on the runtime\n  = help: add it".to_owned(),
            },
        ),
        (
            "restarting",
            Event::Restarting {
                reason: "code outside the workspace was edited, which can't be swapped".to_owned(),
            },
        ),
        ("saved", saved(&[])),
        ("saved-in-part", saved(&FRESH)),
        ("restored", restored(&[], None)),
        (
            "restored-in-part",
            restored(&FRESH[..1], Some("what was saved is damaged")),
        ),
        (
            "quitting",
            Event::Quitting {
                reason: "asked for by `cargo hotswap quit`".to_owned(),
            },
        ),
        ("exited", exited(Some(0), None)),
        ("exited-with-code", exited(Some(2), None)),
        ("exited-by-fault", exited(None, Some(11))),
        ("waiting", Event::Waiting { keys: false }),
        ("waiting-for-keys", Event::Waiting { keys: true }),
    ]
}

const MANY: [&str; 5] = [
    "app::greet",
    "app::room::serve",
    "<app::room::Room>::say",
    "<app::hall::Hall as app::Talk>::say",
    "app::hall::serve",
];

/// Cells that start afresh: path, field, reason.
const FRESH: [(&str, Option<&str>, &str); 4] = [
    ("app::WORLD", Some("players[3].pos"), "missing field `z`"),
    ("app::CACHE", None, PLAIN),
    (
        "app::room::ROOMS",
        None,
        "its `Serialize` panicked: it is shy",
    ),
    ("app::SECRETS", None, PLAIN),
];

const PLAIN: &str = "made with `Live::new`, not `Live::saved`";

fn fresh(cells: &[(&str, Option<&str>, &str)]) -> Vec<FreshCell> {
    let fresh = |(cell, field, reason): &(&str, Option<&str>, &str)| FreshCell {
        cell: (*cell).to_owned(),
        type_name: "app::World".to_owned(),
        field: field.map(str::to_owned),
        reason: (*reason).to_owned(),
    };
    cells.iter().map(fresh).collect()
}

fn carried() -> Vec<CarriedCell> {
    let cells = [("app::hall::HALL", 3000), ("app::LOG", 72)];
    let carried = |(cell, bytes): (&str, u64)| CarriedCell {
        cell: cell.to_owned(),
        bytes,
    };
    cells.map(carried).into()
}

fn saved(afresh: &[(&str, Option<&str>, &str)]) -> Event {
    Event::Saved {
        cells: carried(),
        afresh: fresh(afresh),
        pause_ms: 1.25,
    }
}

fn restored(afresh: &[(&str, Option<&str>, &str)], damage: Option<&str>) -> Event {
    Event::Restored {
        cells: carried(),
        afresh: fresh(afresh),
        damage: damage.map(str::to_owned),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn files(names: &[&str]) -> Vec<PathBuf> {
    names
        .iter()
        .map(|name| Path::new("/w").join(name))
        .collect()
}

fn ready(entries: &[&str]) -> Event {
    Event::Ready {
        pid: 4711,
        build_id: "0123456789abcdef".to_owned(),
        entries: words(entries),
    }
}

fn compile_error() -> Event {
    Event::CompileError {
        message: "\u{1b}[1m\u{1b}[91merror[E0308]\u{1b}[0m\u{1b}[1m: mismatched types\u{1b}[0m\n \
                  \u{1b}[1m\u{1b}[94m--> \u{1b}[0msrc/main.rs:1:1\n\n"
            .to_owned(),
        summary: "could not compile `app` (bin \"app\") due to 1 previous error".to_owned(),
    }
}

fn swapped(edited: &[&str], entries: &[&str]) -> Event {
    Event::Swapped {
        version: 3,
        reverts_to: None,
        files: files(edited),
        phases: Phases {
            detect: 0.2,
            compile: 52.0,
            check: 3.4,
            link: 15.9,
            load: 2.46,
        },
        compiled: words(&["words (lib)"]),
        relinked: words(&["app (bin)"]),
        entries: words(entries),
        reshaped: Vec::new(),
        still_old: Vec::new(),
        statics: Vec::new(),
        migrated: None,
        remarks: Vec::new(),
        warnings: Vec::new(),
    }
}

fn reverted() -> Event {
    let mut event = swapped(&[], &["app::greet"]);
    if let Event::Swapped {
        reverts_to,
        compiled,
        ..
    } = &mut event
    {
        *reverts_to = Some(1);
        compiled.clear();
    }
    event
}

fn exited(code: Option<i32>, signal: Option<i32>) -> Event {
    let frame = |function: &str, location: Option<&str>| Frame {
        function: Some(function.to_owned()),
        module: "app".to_owned(),
        version: Some(3),
        location: location.map(str::to_owned),
    };
    let fault = Fault {
        address: Some("0x10".to_owned()),
        frames: vec![
            frame("app::greet", Some("src/main.rs:12")),
            frame("app::main", None),
        ],
    };
    Event::Exited {
        code,
        signal,
        death: Death {
            pid: 4711,
            version: 3,
            signal_name: signal.map(|_| "SIGSEGV".to_owned()),
            core_dumped: false,
            fault: signal.map(|_| fault),
        },
    }
}

fn swapped_many() -> Event {
    let edited = [
        "src/main.rs",
        "src/room.rs",
        "src/hall/mod.rs",
        "src/hall/door.rs",
    ];
    let mut event = swapped(&edited, &MANY);
    if let Event::Swapped { files, .. } = &mut event {
        files.push("/elsewhere/words/src/lib.rs".into());
    }
    event
}

fn swapped_against_expectation() -> Event {
    let mut event = swapped(&["src/main.rs"], &["app::greet"]);
    if let Event::Swapped {
        reshaped,
        still_old,
        statics,
        remarks,
        warnings,
        ..
    } = &mut event
    {
        *reshaped = words(&["app::answer"]);
        let old = |function: &str, cause, reason: &str| StillOld {
            function: function.to_owned(),
            cause,
            reason: reason.to_owned(),
        };
        *still_old = vec![
            old("app::main", OldCause::Running, "it runs already, and more"),
            old("app::local", OldCause::Unreached, "not reached; mark it"),
            old("app::other", OldCause::Unreached, "not reached; mark it"),
        ];
        let report = |name: &str, verdict, reason: &str| StaticReport {
            name: name.to_owned(),
            verdict,
            reason: reason.to_owned(),
        };
        *statics = vec![
            report("app::COUNT", "kept", "its value is state and stays"),
            report("app::room::LABEL", "new", "it points elsewhere now"),
        ];
        *remarks = words(&["an `on_swap` callback panicked: no more room"]);
        *warnings = words(&["\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: unused variable: `x`\n\n"]);
    }
    event
}

fn swapped_with_state() -> Event {
    let mut event = swapped(&["src/main.rs"], &["app::greet"]);
    if let Event::Swapped { migrated, .. } = &mut event {
        let of = |name: &str, changes: &[&str]| MigratedType {
            name: name.to_owned(),
            changes: words(changes),
        };
        *migrated = Some(Box::new(Migrated {
            cells: words(&["app::WORLD", "app::hall::ROOMS"]),
            types: vec![
                of(
                    "app::World",
                    &[
                        "field `mp`: added, with its default",
                        "field `old`: dropped",
                    ],
                ),
                of("app::hall::Room", &["field `name`: was `title`"]),
            ],
            dropped: words(&["app::World.old"]),
            values: 1003,
            pause_ms: 0.42,
        }));
    }
    event
}

fn went_back(cause: BackCause) -> Event {
    let panic = cause == BackCause::Panic;
    Event::WentBack {
        version: 3,
        from: 2,
        reverts_to: 1,
        cause,
        entry: panic.then(|| "app::room::greet".to_owned()),
        thread: panic.then(|| "worker-1".to_owned()),
        values: if panic { 12 } else { 0 },
        pause_ms: if panic { 0.25 } else { 0.0 },
    }
}

fn refused() -> Event {
    Event::Refused {
        reason: "layout",
        message: "`app::World` changed\n  --> src/main.rs:5:8\n   |\n   | field `size`: u32, now u64\n   \
                  |\n   = why: static `app::WORLD` keeps its value\n   = help: restart the program\n\n\
                  `app::Room` changed\n   = why: it is held\n   = help: undo the change\n"
            .to_owned(),
        items: words(&["app::World", "app::Room"]),
        places: vec![Place {
            file: "/w/src/main.rs".into(),
            line: 5,
            column: 8,
        }],
    }
}

fn look(width: usize) -> Look {
    Look {
        width: Some(width),
        folder: "/w".into(),
        ..Look::default()
    }
}

/// Colours as words, so that a difference can be read.
fn with_marks(text: &str) -> String {
    let marks = [
        ("\u{1b}[0m", "{/}"),
        ("\u{1b}[1m", "{bold}"),
        ("\u{1b}[33m", "{yellow}"),
        ("\u{1b}[91m", "{red}"),
        ("\u{1b}[92m", "{green}"),
        ("\u{1b}[94m", "{blue}"),
        ("\u{1b}[96m", "{cyan}"),
    ];
    let mut text = text.to_owned();
    for (code, mark) in marks {
        text = text.replace(code, mark);
    }
    assert!(!text.contains('\u{1b}'), "a code without a name: {text:?}");
    text
}

#[test]
fn every_event_has_its_look() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for (name, event) in examples() {
            let verbose = Look {
                verbose: true,
                ..look(80)
            };
            let quiet = Look {
                quiet: true,
                ..look(80)
            };
            let mut text = String::new();
            for (title, look) in [
                ("40 columns", look(40)),
                ("80 columns", look(80)),
                ("200 columns", look(200)),
                ("verbose", verbose),
                ("quiet", quiet),
            ] {
                let human = human(&event, &look);
                let plain = anstream::adapter::strip_str(&human).to_string();
                let marked = with_marks(&human);
                text += &format!("# {title}\n{plain}# {title}, coloured\n{marked}");
            }
            text += &format!("# JSON\n{}\n", event.json());
            insta::assert_snapshot!(name, text);
        }
    });
}

#[test]
fn the_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.schema.json");
    let (now, kept) = (schema(), std::fs::read_to_string(&path).unwrap_or_default());
    if now == kept {
        return;
    }
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, now).expect("docs can be written");
        return;
    }
    let difference = similar::TextDiff::from_lines(&kept, &now);
    panic!(
        "docs/events.schema.json is not what the events are; write it anew with\n\
         INSTA_UPDATE=always cargo test -p cargo-hotswap events\n{}",
        difference.unified_diff().header("kept", "now")
    );
}

#[test]
fn paths_are_shown_as_people_write_them() {
    let look = Look {
        folder: PathBuf::from("/w"),
        ..Look::default()
    };
    for (path, shown) in [
        ("/w/src/main.rs", "src/main.rs"),
        ("/w/src/../page.html", "page.html"),
        ("/w/src/deep/../../../v/a.rs", "/v/a.rs"),
        ("../a.rs", "../a.rs"),
    ] {
        assert_eq!(render::path(Path::new(path), &look), shown);
    }
}
