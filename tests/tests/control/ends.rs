//! Ends of programs: asked for, by themselves, and by a fault.

use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Event, Package, Session};
use rustix::process::Signal;
use serde_json::Value;

use super::{SOURCE, Verb, order, package, status};

#[test]
fn quitting_gives_the_programs_own_exit_code() -> Result<()> {
    let handled = SOURCE.replace(
        "fn main() {",
        "unsafe extern \"C\" { fn signal(n: i32, f: extern \"C\" fn(i32)); fn _exit(code: i32) -> !; }\n\
         extern \"C\" fn end(_: i32) { unsafe { _exit(7) } }\n\
         fn main() {\n    unsafe { signal(15, end) };",
    );
    let package = Package::of_source("quit-code", &handled)?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    let outcome = order(&package, &session, "quit")?;
    ensure!(
        outcome["result"] == "done" && outcome["code"] == 7,
        "{outcome}"
    );
    session.await_event("exited", &[])?;
    session.exits(7)
}

#[test]
fn a_program_that_does_not_end_is_killed() -> Result<()> {
    let stubborn = SOURCE.replace(
        "fn main() {",
        "unsafe extern \"C\" { fn signal(n: i32, f: usize); }\n\
         fn main() {\n    unsafe { signal(15, 1) };",
    );
    let package = Package::of_source("quit-killed", &stubborn)?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    let outcome = order(&package, &session, "quit")?;
    ensure!(
        outcome["result"] == "done" && outcome["signal"] == 9,
        "{outcome}"
    );
    let message = outcome["message"].as_str().unwrap_or_default();
    ensure!(message.contains("was killed"), "{outcome}");
    session.exits(137)
}

/// Ends a program of version 2 by this line, and takes what is told about that.
fn end_by(package: &Package, line: &str, code: i32) -> Result<Event> {
    // It is to end in that version, also by a panic.
    let mut session = Session::run(package, &["--on-panic=keep"])?;
    for (from, to) in [("\"one\"", "\"two\""), ("\"two\"", "\"one\"")] {
        // The second version has the first one's text, and is none of its code.
        let to = if to == "\"one\"" { "\"three\"" } else { to };
        package.edit("src/main.rs", from, to)?;
        session.await_swapped()?;
    }
    session.send(line)?;
    let event = session.await_event("exited", &[])?;
    ensure!(event.number("version") == Some(2), "{event}");
    session.exits(code)?;
    package.write("src/main.rs", SOURCE.as_bytes())?;
    Ok(event)
}

fn frames(event: &Event) -> Result<Vec<Value>> {
    let event: Value = serde_json::from_str(&event.to_string())?;
    let frames = event["fault"]["frames"].as_array().cloned();
    frames.with_context(|| format!("no frames: {event}"))
}

#[test]
fn ends_are_told_with_code_or_signal_and_version() -> Result<()> {
    let package = package("ends")?;
    let event = end_by(&package, "exit", 3)?;
    ensure!(event.number("code") == Some(3), "{event}");
    let event = end_by(&package, "panic", 101)?;
    ensure!(event.number("code") == Some(101), "{event}");
    let event = end_by(&package, "access", 139)?;
    ensure!(event.text("signal_name") == Some("SIGSEGV"), "{event}");
    ensure!(event.has(&["0x10".to_owned()]), "{event}");
    // Between them are the standard library's, the runtime's and the entry's own.
    let told = frames(&event)?;
    let mut told = told.iter();
    for (function, version) in [("ends::access", 2), ("ends::answer", 2), ("ends::main", 0)] {
        let frame = told.find(|frame| frame["function"] == function);
        let frame = frame.with_context(|| format!("{function} is not told: {event}"))?;
        ensure!(frame["version"] == version, "{event}");
        let location = frame["location"].as_str().unwrap_or_default();
        ensure!(location.starts_with("src/main.rs:"), "{event}");
    }
    let event = end_by(&package, "abort", 134)?;
    ensure!(event.text("signal_name") == Some("SIGABRT"), "{event}");
    let frames = frames(&event)?;
    let own = frames
        .iter()
        .find(|frame| frame["function"] == "ends::answer");
    ensure!(own.is_some_and(|frame| frame["version"] == 2), "{event}");
    Ok(())
}

#[test]
fn an_end_is_told_to_people() -> Result<()> {
    let package = package("end-told")?;
    let mut command = hotswap_tests::hotswap_verb(&package, &["run"])?;
    command.stdin(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    std::io::Write::write_all(&mut stdin, b"access\n")?;
    let output = child.wait_with_output()?;
    // A shell sees what it would see of the program itself.
    ensure!(output.status.signal() == Some(11), "{}", output.status);
    let text = String::from_utf8(output.stderr)?;
    ensure!(text.contains("by SIGSEGV (signal 11"), "{text}");
    ensure!(text.contains("in version 0"), "{text}");
    Ok(())
}

#[test]
fn a_run_can_outlast_its_program() -> Result<()> {
    let package = package("stays")?;
    let mut session = Session::run(&package, &["--stay"])?;
    session.send("exit")?;
    session.await_event("exited", &[])?;
    session.await_event("waiting", &[])?;
    let ended = status(&package, &session)?;
    ensure!(
        ended["pid"].is_null() && ended["run"]["activity"] == "waiting",
        "{ended}"
    );
    ensure!(ended["run"]["starts"][0]["end"]["code"] == 3, "{ended}");
    let tool = session.tool_pid().to_string();
    Verb::run(&package, &["revert", "--pid", &tool])?.expect(1, &["does not run"])?;
    // A save starts it again, once it compiles.
    package.edit("src/main.rs", "\"one\"", "two")?;
    session.await_event("compile-error", &[])?;
    package.edit("src/main.rs", "{}\", two,", "{}\", \"two\",")?;
    session.await_restart()?;
    session.ask("x", "two 1")?;
    session.send("exit")?;
    session.await_event("exited", &[])?;
    session.await_event("waiting", &[])?;
    // So does an order.
    ensure!(order(&package, &session, "restart")?["result"] == "done");
    session.await_restart()?;
    session.ask("x", "two 1")?;
    session.send("panic")?;
    session.await_event("exited", &[])?;
    session.await_event("waiting", &[])?;
    Verb::run(&package, &["quit", "--pid", &tool])?.expect(0, &["had ended already"])?;
    session.exits(101)
}

#[test]
fn a_program_without_its_tool_can_be_asked() -> Result<()> {
    let package = package("orphan")?;
    let mut session = Session::run(&package, &[])?;
    let pid = session.pid()?;
    session.ask("x", "one 1")?;
    session.signal(session.tool_pid(), Signal::KILL)?;
    let text = pid.to_string();
    let gone = loop {
        // The tool's socket refuses as soon as it is gone.
        let status = Verb::run(
            &package,
            &["status", "--pid", &text, "--message-format=json"],
        )?;
        let status = status.json()?["programs"][0].clone();
        if status["run"].is_null() {
            break status;
        }
    };
    ensure!(gone["answers"] == true && gone["version"] == 0, "{gone}");
    ensure!(gone["versions"][0]["state"] == "current", "{gone}");
    Verb::run(&package, &["status", "--pid", &text])?.expect(0, &["none: it has ended"])?;
    for verb in ["restart", "revert", "quit"] {
        Verb::run(&package, &[verb, "--pid", &text])?
            .expect(1, &["without its tool", "cargo hotswap run"])?;
    }
    Verb::run(&package, &["timings", "--pid", &text])?.expect(1, &["no times to show"])?;
    session.ask("x", "one 2")?;
    session.signal(pid, Signal::KILL)
}
