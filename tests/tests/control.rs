//! Orders from another terminal, and what is said about a run there.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Event, Package, Session, hotswap_verb};
use serde_json::Value;

mod clients;
mod ends;
mod handovers;
mod reverts;

/// A program that answers, keeps a count, and ends in various ways.
const SOURCE: &str = r#"
use std::{env, io, process, sync::atomic::{AtomicU32, Ordering}};

static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    match line {
        "surroundings" => surroundings(),
        "access" => access(),
        "abort" => process::abort(),
        "panic" => panic!("asked for"),
        "exit" => process::exit(3),
        _ => format!("{} {}", "one", COUNT.fetch_add(1, Ordering::Relaxed) + 1),
    }
}

fn surroundings() -> String {
    let args: Vec<String> = env::args().skip(1).collect();
    let folder = env::current_dir().unwrap();
    let folder = folder.file_name().unwrap().to_string_lossy().into_owned();
    let hotswap = env::vars().filter(|(name, _)| name.starts_with("HOTSWAP_")).count();
    format!("{args:?} {:?} {folder} {hotswap}", env::var("OF_THE_USER"))
}

#[inline(never)]
fn access() -> String {
    let nowhere = std::hint::black_box(16 as *mut u32);
    unsafe { nowhere.write_volatile(1) };
    "alive".to_owned()
}
"#;

/// A package of that program.
fn package(name: &str) -> Result<Package> {
    Package::of_source(name, SOURCE)
}

/// How a verb ended.
struct Verb {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Verb {
    /// Runs a verb to its end.
    fn run(package: &Package, arguments: &[&str]) -> Result<Self> {
        Self::of(hotswap_verb(package, arguments)?)
    }

    fn of(mut command: Command) -> Result<Self> {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output()?;
        Ok(Self {
            code: status.code(),
            stdout: String::from_utf8(stdout)?,
            stderr: String::from_utf8(stderr)?,
        })
    }

    /// Fails unless it ended with this code and said each of these words.
    fn expect(&self, code: i32, words: &[&str]) -> Result<()> {
        let text = format!("{}{}", self.stdout, self.stderr);
        ensure!(
            self.code == Some(code),
            "ended with {:?}:\n{text}",
            self.code
        );
        for word in words {
            ensure!(text.contains(word), "{word:?} is not said:\n{text}");
        }
        Ok(())
    }

    /// Its one line of JSON.
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("no JSON: {:?} {:?}", self.stdout, self.stderr))
    }
}

/// Runs a verb for the program of a session, with its outcome as JSON.
fn order(package: &Package, session: &Session, verb: &str) -> Result<Value> {
    let pid = session.tool_pid().to_string();
    let arguments = [verb, "--pid", &pid, "--message-format=json"];
    Verb::run(package, &arguments)?.json()
}

/// The program of a session, as `status` tells of it.
fn status(package: &Package, session: &Session) -> Result<Value> {
    let report = order(package, session, "status")?;
    ensure!(report["format"] == 1, "{report}");
    let programs = report["programs"].as_array().context("no programs")?;
    ensure!(programs.len() == 1, "{report}");
    Ok(programs[0].clone())
}

#[test]
fn one_of_two_programs_is_chosen() -> Result<()> {
    let package = package("chosen")?;
    let first = Session::run(&package, &[])?;
    let second = Session::run(&package, &[])?;
    let pids = [first.pid()?.to_string(), second.pid()?.to_string()];
    for verb in ["restart", "revert", "quit", "timings"] {
        let refused = Verb::run(&package, &[verb, "--name", "chosen"])?;
        refused.expect(1, &["2 programs", "--pid", &pids[0], &pids[1]])?;
    }
    let all = Verb::run(&package, &["status"])?;
    all.expect(0, &["chosen process", &pids[0], &pids[1]])?;
    Verb::run(&package, &["status", "--name", "nobody"])?
        .expect(1, &["no running program has name `nobody`", &pids[0]])?;
    Verb::run(&package, &["status", "--follow", "--name", "chosen"])?.expect(1, &["2 programs"])?;
    let by_pid = Verb::run(&package, &["status", "--pid", &pids[1]])?;
    by_pid.expect(0, &[&pids[1], "chosen::answer", "watching for edits"])?;
    ensure!(!by_pid.stdout.contains(&pids[0]), "{}", by_pid.stdout);
    let tool = second.tool_pid().to_string();
    Verb::run(&package, &["status", "--pid", &tool])?.expect(0, &[&pids[1]])?;
    let quit = Verb::run(&package, &["quit", "--pid", &pids[0]])?;
    quit.expect(0, &["Ended", &pids[0], "SIGTERM"])?;
    first.exits(143)?;
    Verb::run(&package, &["quit", "--name", "chosen"])?.expect(0, &[&pids[1]])?;
    second.exits(143)
}

#[test]
fn a_restart_keeps_arguments_environment_and_folder() -> Result<()> {
    let mut package = package("restarted")?;
    package.env.push(("OF_THE_USER".into(), "kept".into()));
    let mut session = Session::run(&package, &["--", "a", "b c"])?;
    let surroundings = r#"["a", "b c"] Ok("kept") restarted 0"#;
    session.ask("surroundings", surroundings)?;
    session.ask("x", "one 1")?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two 2")?;
    let before = session.pid()?;
    let outcome = order(&package, &session, "restart")?;
    session.await_restart()?;
    let now = session.pid()?;
    ensure!(outcome["result"] == "done", "{outcome}");
    ensure!(outcome["pid"] == now && now != before, "{outcome}");
    session.ask("surroundings", surroundings)?;
    session.ask("x", "two 1")?;
    package.edit("src/main.rs", "\"two\"", "\"three\"")?;
    session.await_swapped()?;
    session.ask("x", "three 2")?;
    let status = status(&package, &session)?;
    let run = &status["run"];
    let starts = run["starts"].as_array().context("no starts")?;
    ensure!(starts.len() == 2 && starts[0]["pid"] == before, "{status}");
    ensure!(!starts[0]["end"].is_null() && starts[1]["end"].is_null());
    let swaps = run["swaps"].as_array().context("no swaps")?;
    ensure!(swaps.len() == 2 && swaps[1]["start"] == 2, "{status}");
    session.quit()
}

#[test]
fn a_restart_that_does_not_compile_is_none() -> Result<()> {
    let package = package("not-restarted")?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    package.edit("src/main.rs", "\"one\"", "one")?;
    session.await_event("compile-error", &[])?;
    let pid = session.pid()?.to_string();
    let outcome = Verb::run(&package, &["restart", "--pid", &pid])?;
    outcome.expect(1, &["does not compile", "cannot find value `one`"])?;
    outcome.expect(1, &["the program runs on as it was"])?;
    session.await_event("compile-error", &[])?;
    session.ask("x", "one 2")?;
    package.edit("src/main.rs", "{}\", one,", "{}\", \"two\",")?;
    session.await_swapped()?;
    session.ask("x", "two 3")?;
    session.quit()
}

#[test]
fn a_refused_edit_is_restarted_on_demand() -> Result<()> {
    let package = package("refused")?;
    let mut session = Session::run(&package, &["--on-refused=restart"])?;
    session.ask("x", "one 1")?;
    let source = SOURCE.replace("AtomicU32", "AtomicU64");
    package.write("src/main.rs", source.as_bytes())?;
    session.await_event("refused", &["COUNT".to_owned()])?;
    session.await_restart()?;
    session.ask("x", "one 1")?;
    session.quit()?;
    let mut session = Session::run(&package, &[])?;
    package.write("src/main.rs", SOURCE.as_bytes())?;
    session.await_event("refused", &["cargo hotswap restart".to_owned()])?;
    session.ask("x", "one 1")?;
    let status = status(&package, &session)?;
    ensure!(status["run"]["last_error"]["kind"] == "refused", "{status}");
    ensure!(order(&package, &session, "restart")?["result"] == "done");
    session.await_restart()?;
    session.ask("x", "one 1")?;
    session.quit()
}

#[test]
fn followers_see_what_happens() -> Result<()> {
    let package = package("followed")?;
    let mut session = Session::run(&package, &[])?;
    let pid = session.pid()?.to_string();
    let follow = ["status", "--follow", "--pid", &pid, "--message-format=json"];
    let mut follower = hotswap_verb(&package, &follow)?
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = follower.stdout.take().context("stdout is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut next = || {
        lines
            .next()
            .context("the follower ended")?
            .map_err(Into::into)
    };
    let status: Value = serde_json::from_str(&next()?)?;
    ensure!(
        status["programs"][0]["pid"].as_u64() == pid.parse().ok(),
        "{status}"
    );
    let mut until = |kind: &str| -> Result<Event> {
        loop {
            let line: Result<String> = next();
            let event = Event::read(&line?).context("no event")?;
            if event.kind() == kind {
                return Ok(event);
            }
        }
    };
    // What was told before comes first.
    until("ready")?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    ensure!(until("swapped")?.number("version") == Some(1));
    order(&package, &session, "quit")?;
    until("exited")?;
    session.exits(143)?;
    let status = follower.wait()?;
    ensure!(status.success(), "{status}");
    Ok(())
}
