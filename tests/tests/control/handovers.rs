//! State on the way to another process, when something comes between.

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};
use rustix::process::Signal;

use super::{Verb, order};

/// A program that counts in a cell, can make the saving of another cell wait, and the signal to end
/// go unheard.
const SOURCE: &str = r#"
use std::{io, sync::{Condvar, Mutex}};

use hotswap::{Live, Migrate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

static COUNT: Live<u32> = Live::saved(u32::default);
static PLAIN: Live<u32> = Live::new(u32::default);
static SLOW: Live<Slow> = Live::saved(Slow::default);
static WAITS: Mutex<bool> = Mutex::new(false);
static GOES: Condvar = Condvar::new();

#[derive(Migrate, Default)]
struct Slow(u32);

impl Serialize for Slow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let waits = WAITS.lock().unwrap();
        if *waits {
            println!("saving");
        }
        drop(GOES.wait_while(waits, |waits| *waits).unwrap());
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
}

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    match line {
        "wait" => *WAITS.lock().unwrap() = true,
        "go" => {
            *WAITS.lock().unwrap() = false;
            GOES.notify_all();
        }
        "deaf" => {
            unsafe { signal(15, 1) };
        }
        "plain" => *PLAIN.write() += 1,
        "slow" => {
            let mut slow = SLOW.write();
            slow.0 += 1;
            return format!("slow {}", slow.0);
        }
        "seen" => return format!("seen {}", COUNT.read()),
        _ => {
            let mut count = COUNT.write();
            *count += 1;
            return format!("count {count}");
        }
    }
    "done".to_owned()
}
"#;

fn package(name: &str) -> Result<Package> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\nserde = \"1\"\n\
         hotswap-runtime = {{ path = \"$HOTSWAP_RUNTIME\", features = [\"serde\"] }}\n\n[workspace]\n"
    );
    Package::of_manifest(name, &manifest, SOURCE)
}

/// What the system says that a process has open.
fn open_files(pid: u32) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    let links = entries.map(|entry| Ok(std::fs::read_link(entry?.path())?));
    let links: Result<Vec<_>> = links.collect();
    let texts = links?.into_iter();
    Ok(texts.map(|link| link.display().to_string()).collect())
}

#[test]
fn a_tool_that_is_killed_while_state_is_saved_leaves_the_program_as_it_was() -> Result<()> {
    let package = package("saved-by-nobody")?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "count 1")?;
    session.ask("slow", "slow 1")?;
    session.ask("wait", "done")?;
    let pid = session.pid()?;
    let text = pid.to_string();
    let mut restart = hotswap_verb(&package, &["restart", "--pid", &text])?;
    let mut restart = restart.stderr(std::process::Stdio::null()).spawn()?;
    session.expect("saving")?;
    session.signal(session.tool_pid(), Signal::KILL)?;
    ensure!(restart.wait()?.code() == Some(1));
    // What is saved can be read meanwhile, and written afterwards.
    session.ask("seen", "seen 1")?;
    session.ask("go", "done")?;
    session.ask("x", "count 2")?;
    session.ask("slow", "slow 2")?;
    let files = open_files(pid)?;
    let named = files.iter().find(|file| {
        file.contains("hotswap-state")
            && !file.starts_with("/memfd:")
            && !file.ends_with("(deleted)")
    });
    ensure!(named.is_none(), "{files:?}");
    session.signal(pid, Signal::KILL)
}

#[test]
fn a_program_that_does_not_end_is_killed_after_its_state_was_saved() -> Result<()> {
    let package = package("saved-and-killed")?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "count 1")?;
    session.ask("plain", "done")?;
    session.ask("deaf", "done")?;
    let outcome = order(&package, &session, "restart")?;
    ensure!(outcome["result"] == "done", "{outcome}");
    let message = outcome["message"].as_str().unwrap_or_default();
    ensure!(
        message.ends_with("; afresh: saved_and_killed::PLAIN"),
        "{outcome}"
    );
    session.await_restart()?;
    session.ask("x", "count 2")?;
    session.quit()
}

#[test]
fn each_of_two_programs_keeps_its_own_state() -> Result<()> {
    let package = package("saved-twice")?;
    let mut first = Session::run(&package, &[])?;
    let mut second = Session::run(&package, &[])?;
    first.ask("x", "count 1")?;
    second.ask("x", "count 1")?;
    second.ask("x", "count 2")?;
    for (session, saved, next) in [(&mut second, 2, 3), (&mut first, 1, 2)] {
        let tool = session.tool_pid().to_string();
        Verb::run(&package, &["restart", "--with-state", "--pid", &tool])?.expect(0, &[])?;
        let restored = session.await_event("restarting", &[]);
        restored.with_context(|| format!("with {saved}"))?;
        session.await_restart()?;
        session.ask("x", &format!("count {next}"))?;
    }
    first.quit()?;
    second.quit()
}
