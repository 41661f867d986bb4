//! How editors and other programs save, on real files.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{Input, NoEvents, Patience, RecommendedWatcher, Seen, Settings, Watch};
use crate::config::Poll;

/// How long a file event may take before the test fails; nothing waits for this when all is well.
const DEADLINE: Duration = Duration::from_secs(60);

/// A project of a few files, watched.
struct Project {
    _folder: tempfile::TempDir,
    root: PathBuf,
    seen: Receiver<Seen>,
    watch: Watch,
}

impl Project {
    fn new(patience: Patience) -> Self {
        Self::watched_by(Poll::Never, patience, super::event_source)
    }

    fn watched_by(
        poll: Poll,
        patience: Patience,
        events: fn(Sender<Input>) -> Result<RecommendedWatcher, NoEvents>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("w");
        for dir in ["w/src/deep", "elsewhere/one", "elsewhere/two"] {
            fs::create_dir_all(folder.path().join(dir)).unwrap();
        }
        for file in [
            "w/src/main.rs",
            "w/src/other.rs",
            "w/src/deep/mod.rs",
            "w/src/end.rs",
            "elsewhere/real.rs",
            "elsewhere/one/in.rs",
            "elsewhere/two/in.rs",
        ] {
            fs::write(folder.path().join(file), "old").unwrap();
        }
        symlink("../../elsewhere/real.rs", root.join("src/link.rs")).unwrap();
        symlink("../../elsewhere/one", root.join("src/now")).unwrap();
        let (sender, seen) = channel();
        let settings = Settings {
            root: root.clone(),
            poll,
            patience,
            ignore: super::GlobSet::new([globset::Glob::new("src/ignored*").unwrap()]).unwrap(),
        };
        let watch = Watch::start(settings, events, sender, |seen| seen);
        let project = Self {
            _folder: folder,
            root,
            seen,
            watch,
        };
        let known = [
            "main.rs",
            "other.rs",
            "deep/mod.rs",
            "link.rs",
            "now/in.rs",
            "end.rs",
        ];
        let known: Vec<PathBuf> = known.iter().map(|name| project.path(name)).collect();
        project.watch.add(known.iter().map(PathBuf::as_path));
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("src").join(name)
    }

    /// The batches until a last save, which is not told.
    fn batches(&self) -> Vec<String> {
        let end = self.path("end.rs");
        fs::write(&end, "new").unwrap();
        let mut batches = Vec::new();
        loop {
            let seen = self
                .seen
                .recv_timeout(DEADLINE)
                .expect("the last save is seen");
            let Seen::Saved(mut files) = seen else {
                panic!("{seen:?}");
            };
            let last = files.remove(&end);
            let names = self.names(&files);
            // What has the same content as before is no edit to anybody.
            if !files.is_empty() && batches.last() != Some(&names) {
                batches.push(names);
            }
            if last {
                return batches;
            }
        }
    }

    fn names(&self, files: &BTreeSet<PathBuf>) -> String {
        let names = files.iter().map(|file| {
            let name = file.strip_prefix(self.root.join("src"));
            let name = name.unwrap_or(file.file_name().unwrap().as_ref());
            // What stands in it when it is told; a batch that comes too early shows.
            let text = fs::read_to_string(file).unwrap_or("(none)".to_owned());
            format!("{}={text}", name.display())
        });
        names.collect::<Vec<_>>().join(" ")
    }
}

fn by_rename(path: &Path, temporary: &str) {
    let temporary = path.with_file_name(temporary);
    fs::write(&temporary, "new").unwrap();
    fs::rename(&temporary, path).unwrap();
}

/// Writes in several steps, as what does not fit into one write is.
fn in_place(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for part in ["n", "e", "w"] {
        file.write_all(part.as_bytes()).unwrap();
    }
    file.sync_all().unwrap();
}

type Save = fn(&Project);

const SAVES: [(&str, Save, &[&str]); 17] = [
    ("nothing", |_| {}, &[]),
    (
        "in place: VS Code, Helix, nano",
        |p| in_place(&p.path("main.rs")),
        &["main.rs=new"],
    ),
    (
        "vim: the old file is moved aside, written anew, then removed",
        |p| {
            let (file, backup) = (p.path("main.rs"), p.path("main.rs~"));
            fs::write(p.path("4913"), "").unwrap();
            fs::remove_file(p.path("4913")).unwrap();
            fs::rename(&file, &backup).unwrap();
            in_place(&file);
            fs::remove_file(&backup).unwrap();
        },
        &["main.rs=new"],
    ),
    (
        "vim that copies the backup",
        |p| {
            fs::copy(p.path("main.rs"), p.path("main.rs~")).unwrap();
            in_place(&p.path("main.rs"));
            fs::remove_file(p.path("main.rs~")).unwrap();
        },
        &["main.rs=new"],
    ),
    (
        "Emacs: a lock that is a link to nowhere, a backup that stays",
        |p| {
            symlink("user@host.1:2", p.path(".#main.rs")).unwrap();
            fs::rename(p.path("main.rs"), p.path("main.rs~")).unwrap();
            in_place(&p.path("main.rs"));
            fs::remove_file(p.path(".#main.rs")).unwrap();
        },
        &["main.rs=new"],
    ),
    (
        "JetBrains: a temporary file, the old one aside, the new one in its place",
        |p| {
            let (file, old) = (p.path("main.rs"), p.path("main.rs___jb_old___"));
            let temporary = p.path("main.rs___jb_tmp___");
            in_place(&temporary);
            fs::rename(&file, &old).unwrap();
            fs::rename(&temporary, &file).unwrap();
            fs::remove_file(&old).unwrap();
        },
        &["main.rs=new"],
    ),
    (
        "by rename: sed -i, gedit",
        |p| by_rename(&p.path("main.rs"), "sedQuBon3"),
        &["main.rs=new"],
    ),
    (
        "by exchange of two names",
        |p| {
            fs::write(p.path("main.tmp"), "new").unwrap();
            let (one, other) = (p.path("main.tmp"), p.path("main.rs"));
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, flags).unwrap();
        },
        &["main.rs=new"],
    ),
    (
        "by rename behind a link",
        |p| by_rename(&p.root.join("../elsewhere/real.rs"), "x"),
        &["link.rs=new"],
    ),
    (
        "a link that leads to another file",
        |p| {
            fs::write(p.root.join("../elsewhere/new.rs"), "new").unwrap();
            symlink("../../elsewhere/new.rs", p.path("link")).unwrap();
            fs::rename(p.path("link"), p.path("link.rs")).unwrap();
        },
        &["new.rs=new link.rs=new"],
    ),
    (
        "a link to a folder that leads to another, and a save there",
        |p| {
            symlink("../../elsewhere/two", p.path("then")).unwrap();
            fs::rename(p.path("then"), p.path("now")).unwrap();
            assert_eq!(p.batches(), ["now/in.rs=old"]);
            in_place(&p.root.join("../elsewhere/two/in.rs"));
        },
        &["now/in.rs=new"],
    ),
    (
        "removed",
        |p| fs::remove_file(p.path("main.rs")).unwrap(),
        &["main.rs=(none)"],
    ),
    (
        "renamed to another that is known",
        |p| fs::rename(p.path("main.rs"), p.path("other.rs")).unwrap(),
        &["main.rs=(none) other.rs=old"],
    ),
    (
        "several one after the other",
        |p| {
            for name in ["main.rs", "other.rs", "deep/mod.rs"] {
                fs::remove_file(p.path(name)).unwrap();
            }
            for name in ["main.rs", "other.rs", "deep/mod.rs"] {
                fs::write(p.path(name), "new").unwrap();
            }
        },
        &["deep/mod.rs=new main.rs=new other.rs=new"],
    ),
    (
        "files that nobody knows, of editors and of others; one that does not count",
        |p| {
            for name in ["new.rs", "new.rs~", ".new.rs.swp", "ignored.rs"] {
                fs::write(p.path(name), "new").unwrap();
            }
            fs::write(p.path("passing"), "new").unwrap();
            fs::remove_file(p.path("passing")).unwrap();
        },
        &["new.rs=new"],
    ),
    (
        "a read, and a change of the mode",
        |p| {
            fs::read(p.path("main.rs")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(p.path("main.rs"), mode).unwrap();
        },
        &[],
    ),
    (
        "a folder that was made anew, and a save in it",
        |p| {
            fs::remove_dir_all(p.path("deep")).unwrap();
            fs::create_dir(p.path("deep")).unwrap();
            fs::write(p.path("deep/mod.rs"), "new").unwrap();
            let all = "deep/mod.rs=new link.rs=old main.rs=old now/in.rs=old other.rs=old";
            assert_eq!(p.batches().pop().as_deref(), Some(all));
            in_place(&p.path("deep/mod.rs"));
        },
        &["deep/mod.rs=new"],
    ),
];

/// Long enough for a machine that is busy with other things; a save that stands alone never waits.
fn patient(what: &str) -> Patience {
    // Only these wait for something that does not come.
    let goes = ["removed", "renamed", "by exchange"]
        .iter()
        .any(|case| what.starts_with(case));
    Patience {
        quiet: Duration::from_millis(200),
        follows: Duration::from_millis(400),
        comes_back: Duration::from_millis(if goes { 400 } else { 20_000 }),
    }
}

#[test]
fn each_way_to_save_is_seen_once() {
    for (what, save, expected) in SAVES {
        let project = Project::new(patient(what));
        save(&project);
        assert_eq!(project.batches(), expected, "{what}");
    }
}

/// Files that no event tells of, as when a limit is reached.
#[test]
fn without_events_it_is_said_and_looked_at() {
    for name in [
        "in place",
        "vim",
        "by rename",
        "a link",
        "several",
        "files that nobody",
    ] {
        let case = SAVES.iter().find(|(what, ..)| what.starts_with(name));
        let (what, save, expected) = case.expect("there is such a case");
        let refuse = |_| Err(NoEvents::WatchLimit);
        let project = Project::watched_by(Poll::WhereNeeded, patient(what), refuse);
        let warning = project.seen.recv_timeout(DEADLINE).expect("a warning");
        let Seen::Warning(warning) = warning else {
            panic!("{warning:?}");
        };
        assert!(
            warning.contains("sysctl fs.inotify.max_user_watches="),
            "{warning}"
        );
        save(&project);
        assert_eq!(project.batches(), *expected, "{what}");
    }
}

#[test]
fn the_thread_ends_with_its_owner() {
    let project = Project::watched_by(Poll::Always(None), Patience::default(), super::event_source);
    drop(project.watch);
    // Its end of the channel goes with it.
    while project.seen.recv_timeout(DEADLINE).is_ok() {}
    let error = project.seen.recv_timeout(DEADLINE).unwrap_err();
    assert_eq!(error, std::sync::mpsc::RecvTimeoutError::Disconnected);
}
