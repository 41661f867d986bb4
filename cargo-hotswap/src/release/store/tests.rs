//! Stores through all that is done with them, ended at each step.

use super::*;
use crate::release::about::Described;
use crate::release::about::tests::{about, way};
use crate::release::file;
use crate::release::plan::{Plan, Step};
use crate::release::way as ways;

/// The bytes of a release of this version.
fn bytes(version: &str) -> Vec<u8> {
    with_plan(version, &format!("plan of {version}"))
}

/// The same, with this plan if a way leads to it.
fn with_plan(version: &str, plan: &str) -> Vec<u8> {
    let ways: Vec<_> = (version != "1").then(|| way(&["1"])).into_iter().collect();
    let mut about = about(version, ways);
    let parts: Vec<(Part, Vec<u8>)> = about
        .parts
        .iter()
        .map(|it| match it.part {
            Part::Plan(_) => (it.part, plan.as_bytes().to_vec()),
            part => (part, format!("{part:?} of {version}").into_bytes()),
        })
        .collect();
    let parts: Vec<(Part, &[u8])> = parts
        .iter()
        .map(|(part, bytes)| (*part, bytes.as_slice()))
        .collect();
    about.parts = parts
        .iter()
        .map(|(part, bytes)| Described::of(*part, bytes))
        .collect();
    file::write(&about.text().unwrap(), Some(b"signature"), &parts)
}

/// What may be done.
#[derive(Debug, Clone, Copy)]
enum Act {
    Unpack(&'static str),
    Permanent(&'static str),
    Back,
    Remove(&'static str),
}

fn perform(store: &Store, act: Act) -> Result<()> {
    let change = store.change()?;
    match act {
        Act::Unpack(version) => {
            let bytes = bytes(version);
            let sealed = file::open(&bytes)?;
            change.unpack(&sealed, &sealed.contents()?).map(drop)
        }
        Act::Permanent(version) => change.set_permanent(version).map(drop),
        Act::Back => change.go_back(),
        Act::Remove(version) => change.remove(version),
    }
}

/// All that anybody can see: releases, history with the permanent one as the last, and what the program is started
/// from.
fn state(store: &Store) -> String {
    let releases = store.releases().unwrap();
    let whole = |release: &Release| {
        let parts = release.about.parts.iter();
        parts.for_each(|it| assert!(!release.part(it.part).unwrap().is_empty()));
        release.about.version.clone()
    };
    let releases: Vec<String> = releases.iter().map(whole).collect();
    let started = fs::read_to_string(store.executable());
    let started = started.unwrap_or_else(|_| "nothing".to_owned());
    format!(
        "{} | {} | {started}",
        releases.join(" "),
        store.history().unwrap().join(" ")
    )
}

/// Does these acts, each once for every step at which it may be ended.
#[test]
fn whoever_is_ended_leaves_the_old_or_the_new() {
    let one = "Executable of 1";
    let table = [
        (Act::Unpack("1"), "1 |  | nothing".to_owned()),
        (Act::Permanent("1"), format!("1 | 1 | {one}")),
        (Act::Unpack("2"), format!("1 2 | 1 | {one}")),
        (
            Act::Permanent("2"),
            "1 2 | 1 2 | Executable of 2".to_owned(),
        ),
        (Act::Back, format!("1 2 | 1 | {one}")),
        (
            Act::Permanent("2"),
            "1 2 | 1 2 | Executable of 2".to_owned(),
        ),
        (Act::Unpack("3"), "1 2 3 | 1 2 | Executable of 2".to_owned()),
        (
            Act::Permanent("3"),
            "1 2 3 | 1 2 3 | Executable of 3".to_owned(),
        ),
        (Act::Permanent("1"), format!("1 2 3 | 1 2 3 1 | {one}")),
        (Act::Remove("3"), format!("1 2 | 1 2 3 1 | {one}")),
    ];
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    for (act, expected) in table {
        let before = state(&store);
        let mut ended = 0;
        for steps in 0.. {
            store.steps.set(steps);
            let done = perform(&store, act);
            store.steps.set(usize::MAX);
            let now = state(&store);
            assert!(
                now == before || now == expected,
                "{act:?} after {steps} steps: {now}"
            );
            if done.is_ok() {
                assert_eq!(now, expected, "{act:?}");
                break;
            }
            assert_eq!(done.unwrap_err().to_string(), "ended by a test");
            ended += 1;
            if now == expected {
                // Only what nobody sees was left to do.
                break;
            }
        }
        assert!(ended > 1, "{act:?} has {ended} steps");
    }
    // Nothing of what was ended is left.
    drop(store.change().unwrap());
    let left = fs::read_dir(root.path().join("web").join(RELEASES)).unwrap();
    assert_eq!(left.count(), 2);
}

#[test]
fn what_a_killed_tool_left_is_no_release_and_goes() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    perform(&store, Act::Unpack("1")).unwrap();
    let folder = root.path().join("web");
    for left in ["releases/.new-abc", "releases/.gone-2"] {
        fs::create_dir(folder.join(left)).unwrap();
        fs::write(folder.join(left).join(TEXT_FILE), b"half").unwrap();
    }
    for left in ["permanent.new", "history.new"] {
        fs::write(folder.join(left), b"half").unwrap();
    }
    assert_eq!(state(&store), "1 |  | nothing");
    perform(&store, Act::Permanent("1")).unwrap();
    assert_eq!(state(&store), "1 | 1 | Executable of 1");
    let mut left: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["history.json", "lock", "permanent", "releases"]);
}

#[test]
fn what_is_no_release_hinders_nobody_and_stays() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    perform(&store, Act::Unpack("1")).unwrap();
    let releases = root.path().join("web").join(RELEASES);
    fs::write(releases.join("notes"), b"1 is good").unwrap();
    fs::create_dir_all(releases.join("2")).unwrap();
    fs::create_dir_all(releases.join(".snapshot")).unwrap();
    fs::create_dir(releases.join("1.bak")).unwrap();
    let text = store.release("1").unwrap().folder.join(TEXT_FILE);
    fs::copy(text, releases.join("1.bak").join(TEXT_FILE)).unwrap();
    assert_eq!(state(&store), "1 |  | nothing");
    perform(&store, Act::Permanent("1")).unwrap();
    assert_eq!(state(&store), "1 | 1 | Executable of 1");
    for name in ["notes", "2", ".snapshot", "1.bak"] {
        assert!(releases.join(name).exists(), "{name} is gone");
    }
    let error = perform(&store, Act::Unpack("2")).unwrap_err().to_string();
    assert!(error.contains("move it away"), "{error}");
}

#[test]
fn what_was_damaged_is_mended_also_while_it_is_permanent() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    perform(&store, Act::Unpack("1")).unwrap();
    perform(&store, Act::Permanent("1")).unwrap();
    let executable = store.release("1").unwrap().folder.join("web");
    fs::write(&executable, b"half").unwrap();
    fs::set_permissions(&executable, Permissions::from_mode(0o600)).unwrap();
    perform(&store, Act::Unpack("1")).unwrap();
    assert_eq!(state(&store), "1 | 1 | Executable of 1");
    assert_eq!(fs::metadata(&executable).unwrap().mode() & 0o111, 0o111);
    fs::write(root.path().join("web").join(HISTORY), b"half").unwrap();
    let error = store.history().unwrap_err().to_string();
    assert!(error.contains("move it away"), "{error}");
    fs::remove_file(root.path().join("web").join(PERMANENT)).unwrap();
    fs::create_dir(root.path().join("web").join(PERMANENT)).unwrap();
    let error = store.permanent().unwrap_err().to_string();
    assert!(error.contains("move it away"), "{error}");
}

#[test]
fn another_users_releases_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    perform(&store, Act::Unpack("1")).unwrap();
    let folder = root.path().join("web");
    // Nobody else could write there anyway.
    if !rustix::process::geteuid().is_root() {
        println!("NOT TESTED: only root can give a folder to another user");
        return;
    }
    fs::remove_file(folder.join(LOCK)).unwrap();
    for other in [folder.as_path(), root.path()] {
        std::os::unix::fs::chown(other, Some(4242), None).unwrap();
    }
    for name in ["web", "api"] {
        let store = Store::of(root.path(), name);
        let error = store.change().unwrap_err().to_string();
        assert!(error.contains("run this as that user"), "{error}");
    }
    assert!(!folder.join(LOCK).exists() && !root.path().join("api").exists());
}

#[test]
fn what_can_not_be_done_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::of(root.path(), "web");
    let none = Store::find(root.path(), None).unwrap_err();
    assert_eq!(none.downcast_ref::<Refused>().unwrap().code, code::NONE);
    perform(&store, Act::Unpack("1")).unwrap();
    perform(&store, Act::Permanent("1")).unwrap();
    let refused = |act: Act, code: i32, text: &str| {
        let error = perform(&store, act).unwrap_err();
        let found = error
            .downcast_ref::<Refused>()
            .map_or(code::FAILED, |it| it.code);
        assert!(
            found == code && error.to_string().contains(text),
            "{act:?}: {found} {error}"
        );
    };
    refused(Act::Remove("1"), code::IN_USE, "is permanent");
    refused(Act::Back, code::FAILED, "no release was permanent before");
    for (version, expected) in [
        ("2", "there is no release 2"),
        ("../1", "can't be the name"),
    ] {
        let error = store.release(version).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Unpacked again it is as it was; another one under its version is not taken.
    perform(&store, Act::Unpack("1")).unwrap();
    let place = store.release("1").unwrap().folder;
    fs::write(place.join("web"), b"other").unwrap();
    let error = store
        .release("1")
        .unwrap()
        .part(Part::Executable)
        .unwrap_err();
    assert_eq!(
        error.downcast_ref::<Refused>().unwrap().code,
        code::NOT_TRUSTED
    );
    let mut text = fs::read(place.join(TEXT_FILE)).unwrap();
    text.push(b'\n');
    fs::write(place.join(TEXT_FILE), text).unwrap();
    refused(Act::Unpack("1"), code::DOES_NOT_FIT, "another release 1");
    // One at a time.
    let held = store.change().unwrap();
    refused(Act::Remove("1"), code::BUSY, "another process");
    drop(held);
    assert_eq!(Store::find(root.path(), None).unwrap().name, "web");
    perform(&Store::of(root.path(), "api"), Act::Unpack("1")).unwrap();
    let several = Store::find(root.path(), None).unwrap_err().to_string();
    assert!(several.contains("releases of api, web"), "{several}");
    assert_eq!(Store::find(root.path(), Some("web")).unwrap().name, "web");
}

#[test]
fn versions_are_in_their_order() {
    let mut versions = ["2", "1.10.0", "1.9.0", "1.9.0-rc.1", "night"];
    versions.sort_by_cached_key(|version| order(version));
    assert_eq!(versions, ["2", "night", "1.9.0-rc.1", "1.9.0", "1.10.0"]);
}

/// What the plan says counts, and not whether there is a patch.
#[test]
fn it_is_told_how_programs_come_to_a_release() {
    let to = about("2", vec![way(&["1"])]);
    let plan = Plan::generate(&to.ways[0]);
    let mut restart = plan.clone();
    restart.up = vec![Step::Restart {
        reasons: vec!["so it was edited".to_owned()],
    }];
    let text = |plan: Plan| plan.text(&to, &to.ways[0]).unwrap();
    for (plan, expected) in [
        (text(plan), "live"),
        (text(restart), "by a restart"),
        (String::new(), "by a plan that is damaged"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(folder.path(), "web");
        let bytes = with_plan("2", &plan);
        let sealed = file::open(&bytes).unwrap();
        let change = store.change().unwrap();
        change.unpack(&sealed, &sealed.contents().unwrap()).unwrap();
        let release = store.release("2").unwrap();
        assert_eq!(ways::how(&release), expected, "{plan}");
    }
}
