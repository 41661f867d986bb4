//! The power fails while the tool changes a store, or right after it was done: what the tool did not have written is
//! lost. Afterwards all is as before or as after it, and what the tool had called done is as after it.
//!
//! The store lies on a disk in a file. What has reached that file when the tool is ended is what is left.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use hotswap_tests::{hotswap_verb, inside, killed, not_tested, workspace};
use serde_json::Value;

use super::{Machine, file, text};

/// What a file system may write down at, and after which nothing else is.
const CALLS: [&str; 11] = [
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "rmdir",
];

/// Room for two releases of a program with debug information.
const DISK_BYTES: u64 = 512 << 20;

/// How the disk is mounted: nothing is written early that nobody asked for.
const MOUNT: &str = "mount -o loop,noauto_da_alloc,commit=300";

/// Has a file system made, and mounted once.
const MAKE: &str = r#"mkfs.ext4 -q -F disk.kept && MOUNT disk.kept store && umount store"#;

/// Has a verb do its work, and keeps that.
const KEEP: &str = r#"MOUNT disk.kept store && "$0" "$@"; code=$?; umount store; exit $code"#;

/// Has a verb ended at a call, the power fail, and the verb do its work again.
const CUT: &str = r#"
cp --sparse=always disk.kept disk.now && MOUNT disk.now store || exit 1
look() {
    "$0" hotswap release list --message-format=json
    for release in store/released/releases/[!.]*; do
        test ! -e $release || "$0" hotswap release show $release >&2 || echo damaged $release
    done
    test ! -L store/released/permanent || test -x store/released/permanent/released || echo damaged permanent
}
KILL "$0" "$@" >&2; echo ended $?
cp --sparse=always disk.now disk.left && umount store && MOUNT disk.left store || exit 1
look "$@"
"$0" "$@" >&2; echo again $?
look "$@"
umount store
"#;

struct Disk<'a> {
    machine: &'a Machine,
    store: PathBuf,
}

/// Two releases are made. What the tool does is done on a disk of its own.
pub(super) fn fails(machine: &Machine) -> Result<()> {
    let Some(disk) = Disk::new(machine)? else {
        return Ok(());
    };
    let key = workspace().join("tests/keys/test.pub");
    let path = |version: &str| machine.package.root.join(file(version));
    let (first, second) = (path("1.0.0"), path("1.1.0"));
    let unpack =
        |path| -> Result<[&str; 4]> { Ok(["unpack", text(path)?, "--public-key", text(&key)?]) };
    disk.fails_at_each_call(&unpack(&first)?, ("", "unpacked"))?;
    disk.keep(&unpack(&first)?)?;
    disk.keep(&unpack(&second)?)?;
    disk.keep(&["permanent", "1.0.0", "--on-restart"])?;
    let permanent = ["permanent", "1.1.0", "--on-restart"];
    disk.fails_at_each_call(&permanent, ("permanent unpacked", "old permanent"))?;
    disk.keep(&permanent)?;
    disk.fails_at_each_call(
        &["rollback", "1.1.0"],
        ("old permanent", "permanent unpacked"),
    )?;
    disk.fails_at_each_call(&["remove", "1.0.0"], ("old permanent", "permanent"))
}

impl<'a> Disk<'a> {
    fn new(machine: &'a Machine) -> Result<Option<Self>> {
        if !killed::is_possible() {
            return Ok(None);
        }
        let root = &machine.package.root;
        let store = root.join("store-on-disk");
        fs::create_dir(&store)?;
        File::create(root.join("disk.kept"))?.set_len(DISK_BYTES)?;
        let disk = Self { machine, store };
        let mut make = disk.shell(MAKE);
        if !make.current_dir(root).output()?.status.success() {
            not_tested("only root can mount disks from files here");
            return Ok(None);
        }
        Ok(Some(disk))
    }

    /// A command that runs a script, which mounts what nobody else sees.
    fn shell(&self, script: &str) -> Command {
        let script = script
            .replace("MOUNT", MOUNT)
            .replace("store", "store-on-disk");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        command
    }

    fn run(&self, script: &str, words: &[&str]) -> Result<String> {
        let verb = hotswap_verb(&self.machine.package, &[&["release"], words].concat())?;
        let mut command = inside(self.shell(script), &verb);
        let output = command.env("HOTSWAP_RELEASES", &self.store).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{words:?}: {said}{stderr}");
        // Shown if the test fails.
        println!("{stderr}");
        Ok(said)
    }

    fn keep(&self, words: &[&str]) -> Result<()> {
        self.run(KEEP, words).map(drop)
    }

    /// The states of all releases before a verb and after it.
    fn fails_at_each_call(&self, words: &[&str], states: (&str, &str)) -> Result<()> {
        let calls = self.machine.package.root.join("calls");
        let mut seen = [0; 2];
        let is_after = self.fails_in(&killed::noting(&calls, &CALLS), words, states)?;
        ensure!(is_after, "{words:?} is done, and lost");
        for place in killed::noted(&calls)? {
            let is_after = self.fails_in(&place.strace(), words, states);
            let is_after = is_after.with_context(|| format!("ended at {place:?}"))?;
            seen[usize::from(is_after)] += 1;
        }
        ensure!(seen[0] > 0 && seen[1] > 0, "{words:?}: {seen:?}");
        println!(
            "{}: {} times as before, {} times as after it",
            words[0], seen[0], seen[1]
        );
        Ok(())
    }

    /// Has a command run a verb, the power fail, and the verb do its work again. Whether all was as after it already.
    fn fails_in(
        &self,
        outer: &Command,
        words: &[&str],
        (before, after): (&str, &str),
    ) -> Result<bool> {
        let outer = [outer.get_program()].into_iter().chain(outer.get_args());
        let outer = outer.map(|word| format!("'{}'", word.display()));
        let outer = outer.collect::<Vec<_>>().join(" ");
        let said = self.run(&CUT.replace("KILL", &outer), words)?;
        let (ended, left) = told(&said, "ended ")?;
        let (again, repeated) = told(left, "again ")?;
        let found = states(left, repeated)?;
        let is_after = found == after;
        ensure!(
            is_after || found == before && ended != "0",
            "{words:?}: {said}"
        );
        // What is removed already can't be.
        let is_removed = words[0] == "remove" && is_after;
        let expected = if is_removed { "13" } else { "0" };
        ensure!(again == expected, "{words:?}: {said}");
        let found = states(repeated, "")?;
        ensure!(found == after, "{words:?} again: {said}");
        Ok(is_after)
    }
}

/// What follows the line that begins so, and what the line says.
fn told<'a>(said: &'a str, word: &str) -> Result<(&'a str, &'a str)> {
    let (_, rest) = said
        .split_once(word)
        .with_context(|| format!("no {word}: {said}"))?;
    rest.split_once('\n').context("a line has an end")
}

/// The states of all releases in a list, which ends before `rest`.
fn states(said: &str, rest: &str) -> Result<String> {
    let list = said.strip_suffix(rest).unwrap_or(said);
    let mut states = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with("again ")) {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            bail!("{said}");
        };
        states.extend(line["state"].as_str().map(str::to_owned));
    }
    Ok(states.join(" "))
}
