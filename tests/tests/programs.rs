//! Several programs, several tools, and programs that end in other ways than by themselves.

use std::{env, fs};

use anyhow::{Context, Result, ensure};
use hotswap_protocol::address;
use hotswap_tests::{Package, Session};
use rustix::process::{Signal, getuid};

const SOURCE: &str = r#"
use std::{io, sync::atomic::{AtomicU32, Ordering}};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("{} {}", "one", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
"#;

#[test]
fn two_instances_take_one_edit_each() -> Result<()> {
    let package = Package::of_source("two-instances", SOURCE)?;
    let mut first = Session::run(&package, &[])?;
    let mut second = Session::run(&package, &[])?;
    first.ask("x", "one 1")?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    first.await_swapped()?;
    second.await_swapped()?;
    first.ask("x", "two 2")?;
    second.ask("x", "two 1")?;
    package.edit("src/main.rs", "\"two\"", "\"three\"")?;
    second.await_swapped()?;
    first.await_swapped()?;
    second.ask("x", "three 2")?;
    first.ask("x", "three 3")?;
    first.quit()?;
    package.edit("src/main.rs", "\"three\"", "\"four\"")?;
    second.await_swapped()?;
    second.ask("x", "four 3")?;
    let mut third = Session::run(&package, &[])?;
    third.ask("x", "four 1")?;
    package.edit("src/main.rs", "\"four\"", "\"five\"")?;
    third.await_swapped()?;
    second.await_swapped()?;
    third.ask("x", "five 2")?;
    second.ask("x", "five 4")?;
    third.quit()?;
    second.quit()
}

#[test]
fn two_programs_share_a_target_folder_and_a_library() -> Result<()> {
    let package = Package::of_source("two-programs", "")?;
    package.delete("src/main.rs")?;
    let library = "pub fn word() -> &'static str { \"one\" }\n";
    package.write("src/lib.rs", library.as_bytes())?;
    for name in ["first", "second"] {
        let main = SOURCE.replace(
            "\"one\"",
            &format!("\"{name} \".to_owned() + two_programs::word()"),
        );
        package.write(&format!("src/bin/{name}.rs"), main.as_bytes())?;
    }
    let mut first = Session::run(&package, &["--bin", "first"])?;
    let mut second = Session::run(&package, &["--bin", "second"])?;
    first.ask("x", "first one 1")?;
    second.ask("x", "second one 1")?;
    package.edit("src/lib.rs", "\"one\"", "\"two\"")?;
    first.await_swapped()?;
    second.await_swapped()?;
    first.ask("x", "first two 2")?;
    second.ask("x", "second two 2")?;
    package.edit("src/bin/second.rs", "\"second \"", "\"SECOND \"")?;
    second.await_swapped()?;
    first.ask("x", "first two 3")?;
    second.ask("x", "SECOND two 3")?;
    package.edit("src/lib.rs", "\"two\"", "\"three\"")?;
    // The other program's own source was none of its business.
    let changed = first.await_event("changed", &[])?;
    ensure!(changed.names("src/lib.rs"), "{changed}");
    first.await_swapped()?;
    second.await_swapped()?;
    first.ask("x", "first three 4")?;
    second.quit()?;
    first.quit()
}

#[test]
fn a_moved_package_with_its_target_folder_starts_again() -> Result<()> {
    let mut package = Package::of_source("moved-package", SOURCE)?;
    package.use_own_planted_target()?;
    let mut session = Session::run(&package, &[])?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two 1")?;
    session.quit()?;
    package.relocate("moved away")?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "two 1")?;
    package.edit("src/main.rs", "\"two\"", "\"three\"")?;
    session.await_swapped()?;
    session.ask("x", "three 2")?;
    session.quit()
}

#[test]
fn what_ends_the_tool_ends_the_program() -> Result<()> {
    let package = Package::of_source("ended-by-signal", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    session.signal_group(Signal::INT)?;
    session.exits(130)?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    session.signal(session.tool_pid(), Signal::TERM)?;
    session.exits(143)
}

#[test]
fn a_vanished_socket_is_a_clear_error() -> Result<()> {
    let package = Package::of_source("vanished-socket", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let name = address::socket_name(session.pid()?);
    let runtime = env::var_os(address::RUNTIME_DIR_VARIABLE);
    let folders = address::socket_directories(runtime.as_deref(), getuid().as_raw());
    let socket = folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|path| path.exists());
    fs::remove_file(socket.context("the program has no socket")?)?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    // A connection that stands already is as good as a new one.
    let event = session.await_event("failed|swapped", &[])?;
    let answer = if event.kind() == "swapped" {
        "two 1"
    } else {
        "one 1"
    };
    session.ask("x", answer)?;
    session.quit()
}

#[test]
fn sockets_go_with_their_programs() -> Result<()> {
    let package = Package::of_source("socket-removed", SOURCE)?;
    let session = Session::run(&package, &[])?;
    let name = address::socket_name(session.pid()?);
    session.quit()?;
    let runtime = env::var_os(address::RUNTIME_DIR_VARIABLE);
    let folders = address::socket_directories(runtime.as_deref(), getuid().as_raw());
    let left = folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|path| path.exists());
    ensure!(left.is_none(), "{left:?} is left");
    Ok(())
}
