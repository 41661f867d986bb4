//! Saves at inconvenient moments, and builds that cannot come to an end.

use std::{fs::File, process::Command};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Gate, Package, Session, hotswap_run, inside};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

const SOURCE: &str = r#"
use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    "answer 0".to_owned()
}
"#;

/// The source with another answer.
fn source(answer: &str) -> String {
    SOURCE.replace("\"answer 0\"", answer)
}

/// A source that compiles as long as a [`Gate`] wants.
fn held_source() -> String {
    source("include_str!(\"gate.txt\")")
}

#[test]
fn the_last_of_twenty_saves_is_live() -> Result<()> {
    let package = Package::of_source("twenty-saves", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    for n in 1..=20 {
        let answer = source(&format!("\"answer {n}\""));
        package.write("src/main.rs", answer.as_bytes())?;
    }
    session.settle("x", "answer 20")?;
    package.write("src/main.rs", source("\"answer 21\"").as_bytes())?;
    session.settle("x", "answer 21")?;
    session.quit()
}

#[test]
fn twenty_swaps_keep_the_count() -> Result<()> {
    let counting = SOURCE.replace("use std::io;", "use std::{io, sync::atomic::AtomicU32};");
    let body = |n| format!("format!(\"{n}, {{}}\", COUNT.fetch_add(1, Relaxed))");
    let counting = counting
        + "\nuse std::sync::atomic::Ordering::Relaxed;\nstatic COUNT: AtomicU32 = AtomicU32::new(0);\n";
    let source = |n| counting.replace("\"answer 0\".to_owned()", &body(n));
    let package = Package::of_source("twenty-swaps", &source(0))?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "0, 0")?;
    for n in 1..=20 {
        package.write("src/main.rs", source(n).as_bytes())?;
        session.await_swapped()?;
        session.ask("x", &format!("{n}, {n}"))?;
    }
    session.quit()
}

#[test]
fn a_save_during_a_build_is_not_lost() -> Result<()> {
    let package = Package::of_source("save-during-build", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let gate = Gate::close(&package.root.join("src/gate.txt"))?;
    package.write("src/main.rs", held_source().as_bytes())?;
    let held = gate.await_reader()?;
    session.ask("x", "answer 0")?;
    package.write("src/main.rs", source("\"answer 2\"").as_bytes())?;
    held.open("answer 1")?;
    session.settle("x", "answer 2")?;
    session.quit()
}

#[test]
fn a_killed_compiler_leaves_the_program_alone() -> Result<()> {
    let package = Package::of_source("killed-compiler", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let gate = Gate::close(&package.root.join("src/gate.txt"))?;
    package.write("src/main.rs", held_source().as_bytes())?;
    let held = gate.await_reader()?;
    let compilers = held.readers()?;
    ensure!(!compilers.is_empty(), "nobody waits at the gate");
    for compiler in compilers {
        session.signal(compiler, Signal::KILL)?;
    }
    session.await_event("failed|compile-error", &[])?;
    session.ask("x", "answer 0")?;
    held.open("answer 1")?;
    package.write("src/main.rs", source("\"answer 2\"").as_bytes())?;
    session.settle("x", "answer 2")?;
    session.quit()
}

#[test]
fn cargos_build_lock_is_not_waited_for() -> Result<()> {
    let package = Package::of_source("build-lock-held", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let target = package
        .shared_target()?
        .context("the target folder is shared")?;
    let lock = File::options()
        .write(true)
        .open(target.join("debug/.cargo-lock"))?;
    lock.lock()?;
    package.write("src/main.rs", source("\"answer 1\"").as_bytes())?;
    session.await_swapped()?;
    lock.unlock()?;
    session.ask("x", "answer 1")?;
    session.quit()
}

/// A limit on the size of files stands for a full disk: writing fails in the same places.
#[test]
fn a_full_disk_leaves_the_program_alone() -> Result<()> {
    let package = Package::of_source("full-disk", SOURCE)?;
    let tool = hotswap_run(&package, &[])?;
    let mut shell = Command::new("sh");
    // The signal that comes with the limit is ignored, so that writing fails instead.
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let mut session = Session::spawn(inside(shell, &tool))?;
    session.await_ready()?;
    limit_files(session.tool_pid(), Some(4096))?;
    package.write("src/main.rs", source("\"answer 1\"").as_bytes())?;
    session.await_event("failed|compile-error", &[])?;
    session.ask("x", "answer 0")?;
    limit_files(session.tool_pid(), None)?;
    package.write("src/main.rs", source("\"answer 2\"").as_bytes())?;
    session.settle("x", "answer 2")?;
    session.quit()
}

fn limit_files(pid: u32, bytes: Option<u64>) -> Result<()> {
    let pid = Pid::from_raw(pid.cast_signed());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit)?;
    Ok(())
}
