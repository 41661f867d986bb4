//! What runs leave behind, and who may take it away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};
use rustix::process::Signal;

const SOURCE: &str = r#"
fn main() {
    for _ in std::io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> &'static str {
    "one"
}
"#;

fn clean(package: &Package, arguments: &[&str]) -> Result<String> {
    let output = hotswap_verb(package, &[&["clean"], arguments].concat())?.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}");
    Ok(text)
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn only_what_is_dead_is_removed() -> Result<()> {
    let mut package = Package::of_source("cleaning", SOURCE)?;
    package.use_own_planted_target()?;
    let target = package.root.join("target");
    let runs = target.join("hotswap");
    let records = || {
        let all = below(&target.join("debug/deps"));
        let is_record = |path: &&PathBuf| path.extension().is_some_and(|ext| ext == "json");
        all.iter().filter(is_record).count()
    };

    let mut session = Session::run(&package, &[])?;
    let kept = records();
    ensure!(kept >= 2, "{kept} records");
    let text = clean(&package, &["--all"])?;
    ensure!(
        text.contains("a program runs") && below(&runs).len() == 1,
        "{text}"
    );
    ensure!(records() == kept, "{} of {kept} records", records());
    package.edit("src/main.rs", "one", "two")?;
    session.await_swapped()?;
    session.ask("x", "two")?;

    // Killed, neither tool nor program can clean up.
    let pid = session.pid()?;
    session.signal(session.tool_pid(), Signal::KILL)?;
    session.signal(pid, Signal::KILL)?;
    let end = session.exits(0);
    ensure!(end.is_err(), "it ended by itself");
    ensure!(below(&runs).len() == 1, "nothing was left");

    let listed = clean(&package, &["--dry-run", "--all"])?;
    for name in [
        "/hotswap/run-",
        ".hotlink.json",
        ".hotobjects",
        &format!("{pid}.sock"),
    ] {
        ensure!(listed.contains(name), "{listed} lacks {name}");
    }
    ensure!(
        below(&runs).len() == 1 && records() == kept,
        "a dry run removed"
    );
    clean(&package, &[])?;
    ensure!(
        below(&runs).is_empty() && records() == kept,
        "the records went, too"
    );
    let text = clean(&package, &["--all"])?;
    ensure!(text.contains("Removed") && records() == 0, "{text}");

    // What programs were compared with goes, unless somebody compares.
    let compared = runs.join("compare");
    fs::create_dir(&compared)?;
    let lock = fs::File::create(compared.join("lock"))?;
    lock.lock()?;
    let text = clean(&package, &["--all"])?;
    ensure!(text.contains("it is kept") && compared.exists(), "{text}");
    drop(lock);
    let text = clean(&package, &["--all"])?;
    ensure!(
        text.contains(" 1 files, 0B in total") && !compared.exists(),
        "{text}"
    );

    // What was removed is made again.
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "two")?;
    package.edit("src/main.rs", "two", "three")?;
    session.await_swapped()?;
    session.ask("x", "three")?;
    session.quit()
}
