//! Many files at a time, limits of the system, and file systems whose changes give no event.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session, hotswap_run, inside, not_tested};

/// As many modules as a change of branch may touch.
const MODULES: usize = 200;

/// A program that adds up what its modules say.
fn sum_of_modules(value: usize) -> Vec<(String, String)> {
    let names: Vec<String> = (0..MODULES).map(|n| format!("m{n:03}")).collect();
    let modules: String = names.iter().map(|name| format!("mod {name};\n")).collect();
    let sum: Vec<String> = names
        .iter()
        .map(|name| format!("{name}::value()"))
        .collect();
    let main = format!(
        "use std::io;\n{modules}\nfn main() {{\n    for _ in io::stdin().lines() {{\n        \
         println!(\"{{}}\", answer());\n    }}\n}}\n\n#[hotswap::entry]\nfn answer() -> usize {{\n    \
         [{}].iter().sum()\n}}\n",
        sum.join(", ")
    );
    let module = |name: &String| {
        let text = format!("pub fn value() -> usize {{\n    {value}\n}}\n");
        (format!("src/{name}.rs"), text)
    };
    let mut files: Vec<_> = names.iter().map(module).collect();
    files.push(("src/main.rs".to_owned(), main));
    files
}

fn git(package: &Package, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@localhost"]);
    command.args([
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=first",
    ]);
    let status = command
        .args(arguments)
        .current_dir(&package.root)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("git")?;
    ensure!(status.success(), "git {arguments:?}: {status}");
    Ok(())
}

#[test]
fn a_change_of_branch_is_one_swap() -> Result<()> {
    let package = Package::of_source("git-checkout", "")?;
    for (branch, value) in [("one", 1), ("two", 2)] {
        for (file, text) in sum_of_modules(value) {
            package.write(&file, text.as_bytes())?;
        }
        if branch == "one" {
            git(&package, &["init", "--quiet"])?;
        }
        git(&package, &["checkout", "--quiet", "-b", branch])?;
        git(&package, &["add", "."])?;
        git(&package, &["commit", "--quiet", "-m", branch])?;
    }
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "400")?;
    for (branch, answer) in [("one", "200"), ("two", "400"), ("one", "200")] {
        git(&package, &["checkout", "--quiet", branch])?;
        let changed = loop {
            let event = session.next_event()?;
            if event.kind() == "changed" {
                break event;
            }
        };
        let last = format!("m{:03}.rs", MODULES - 1);
        for file in ["m000.rs", "m100.rs", &last] {
            ensure!(changed.names(file), "{changed} lacks {file}");
        }
        session.await_swapped()?;
        session.ask("x", answer)?;
    }
    session.quit()
}

/// A user namespace has a limit of its own, which nobody else feels.
#[test]
fn at_the_limit_of_watches_files_are_looked_at() -> Result<()> {
    let probe = ["--user", "--map-root-user", "true"];
    if !succeeds("unshare", &probe) {
        not_tested("this system does not let its users make namespaces");
        return Ok(());
    }
    for (limit, value, sysctl) in [
        ("max_inotify_watches", 1, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ] {
        let package = Package::of_source("watch-limit", "")?;
        package.write("src/main.rs", one_module().as_bytes())?;
        package.write("src/word.rs", b"pub const WORD: &str = \"one\";\n")?;
        let script = format!("echo {value} >/proc/sys/user/{limit} && exec \"$0\" \"$@\"");
        let shell = ["--user", "--map-root-user", "sh", "-c", &script];
        let mut outer = Command::new("unshare");
        outer.args(shell);
        let tool = hotswap_run(&package, &[])?;
        let mut session = Session::spawn(inside(outer, &tool))?;
        session.await_ready()?;
        let words = [sysctl.to_owned(), "looked at".to_owned()];
        session.await_event("warning", &words)?;
        session.ask("x", "one")?;
        package.edit("src/word.rs", "one", "two")?;
        session.await_swapped()?;
        session.ask("x", "two")?;
        session.quit()?;
    }
    Ok(())
}

/// Below a mount in user space, files change without an event above it.
#[test]
fn what_changes_below_a_mount_is_seen() -> Result<()> {
    if !succeeds("bindfs", &["--version"]) || !Path::new("/dev/fuse").exists() {
        not_tested("bindfs is not installed, or there is no /dev/fuse");
        return Ok(());
    }
    let mut package = Package::of_source("below-a-mount", "")?;
    package.write("src/main.rs", one_module().as_bytes())?;
    package.write("src/word.rs", b"pub const WORD: &str = \"one\";\n")?;
    let below = package.root.clone();
    let above = below.with_file_name("mounted");
    fs::create_dir_all(&above)?;
    let mount = Mount::new(&below, &above)?;
    package.root.clone_from(&above);
    let mut session = Session::run(&package, &[])?;
    let words = ["FUSE".to_owned(), "watch.poll".to_owned()];
    session.await_event("warning", &words)?;
    session.ask("x", "one")?;
    // As the other end of a share does it.
    fs::write(
        below.join("src/word.rs"),
        "pub const WORD: &str = \"two\";\n",
    )?;
    session.await_swapped()?;
    session.ask("x", "two")?;
    // A save on this side is an event as anywhere.
    package.edit("src/word.rs", "two", "three")?;
    session.await_swapped()?;
    session.ask("x", "three")?;
    session.quit()?;
    drop(mount);
    package.root = below;
    Ok(())
}

#[test]
fn settings_decide_about_watching() -> Result<()> {
    let package = Package::of_source("watch-settings", "")?;
    package.write("src/main.rs", one_module().as_bytes())?;
    package.write("src/word.rs", b"pub const WORD: &str = \"one\";\n")?;
    package.write("src/made.rs", b"")?;
    package.write(
        "hotswap.toml",
        b"[watch]\nignore = [\"src/made.rs\"]\npol = true\n",
    )?;
    let main = one_module() + "mod made;\n";
    package.write("src/main.rs", main.as_bytes())?;
    let mut session = Session::run(&package, &[])?;
    let words = ["hotswap.toml:3".to_owned(), "`watch.poll`".to_owned()];
    session.await_event("warning", &words)?;
    package.write("src/made.rs", b"#[expect(unused)]\nfn made() {}\n")?;
    package.edit("src/word.rs", "one", "two")?;
    let changed = session.next_event()?;
    ensure!(
        changed.kind() == "changed" && !changed.names("made.rs"),
        "{changed}"
    );
    session.await_swapped()?;
    session.ask("x", "two")?;
    session.quit()?;
    package.write("hotswap.toml", b"\nkeys = 3\n")?;
    let mut session = Session::start(&package, &[])?;
    session.expect_stderr("hotswap.toml:2:8: `keys` must be `true` or `false`, not a number")?;
    session.exits(101)
}

fn one_module() -> String {
    "mod word;\n\nfn main() {\n    for _ in std::io::stdin().lines() {\n        println!(\"{}\", \
     answer());\n    }\n}\n\n#[hotswap::entry]\nfn answer() -> &'static str {\n    \
     word::WORD\n}\n"
        .to_owned()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A folder seen through a file system in user space, until this is dropped.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(below: &Path, above: &'a Path) -> Result<Self> {
        let status = Command::new("bindfs").args([below, above]).status()?;
        ensure!(status.success(), "bindfs: {status}");
        Ok(Self(above))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // Detached at once, so that a failed test does not leave it; by the program that came with bindfs.
        let mut names = ["fusermount3", "fusermount"].iter();
        if !names.any(|name| succeeds(name, &["-u", "-z", &self.0.to_string_lossy()])) {
            eprintln!("{} is still mounted", self.0.display());
        }
    }
}
