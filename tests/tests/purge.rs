//! Old versions leave memory, unless somebody refers to them, who is named then.

mod scale;

use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};
use serde_json::Value;

/// A program that holds on to its code in every way that an order names, and lets go of it again. What it
/// holds with stands in statics of the host and on threads that wait in the host's code.
const SOURCE: &str = include_str!("purge/program.rs");

/// Asks for something about the program, as JSON.
fn ask(package: &Package, session: &Session, arguments: &[&str]) -> Result<Value> {
    let pid = session.tool_pid().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--pid", &pid, "--message-format=json"]);
    let Output { stdout, stderr, .. } = hotswap_verb(package, &all)?.output()?;
    serde_json::from_slice(&stdout)
        .with_context(|| format!("{arguments:?}: {}", String::from_utf8_lossy(&stderr)))
}

/// A program under the tool that is edited again and again.
struct Edited {
    package: Package,
    session: Session,
    number: u64,
}

impl Edited {
    fn start(name: &str) -> Result<Self> {
        let package = Package::of_source(name, SOURCE)?;
        let session = Session::run(&package, &[])?;
        Ok(Self {
            package,
            session,
            number: 0,
        })
    }

    fn edit(&mut self) -> Result<()> {
        let (from, to) = (self.number, self.number + 1);
        self.package.edit(
            "src/main.rs",
            &format!("\"text {from}\""),
            &format!("\"text {to}\""),
        )?;
        self.session.await_swapped()?;
        self.number = to;
        Ok(())
    }

    fn ask(&self, arguments: &[&str]) -> Result<Value> {
        ask(&self.package, &self.session, arguments)
    }

    /// The version, once it is out of memory. What is left of it on stacks and in freed memory goes with
    /// time, so this asks again.
    fn await_purge(&mut self, number: u64) -> Result<()> {
        let mut last = Value::Null;
        for _ in 0..200 {
            self.session.ask("nothing", "nothing")?;
            last = version(&self.ask(&["purge"])?, number)?;
            if last["state"] == "purged" {
                return Ok(());
            }
        }
        bail!("version {number} stays: {last}")
    }
}

fn version(report: &Value, number: u64) -> Result<Value> {
    let versions = report["versions"].as_array().context("no versions")?;
    let found = versions.iter().find(|version| version["number"] == number);
    found
        .cloned()
        .with_context(|| format!("no version {number}: {report}"))
}

/// Whether one of the holders is of this kind, and its names have this word.
fn is_named(version: &Value, kind: &str, word: &str) -> bool {
    let holders = version["holders"].as_array();
    holders.into_iter().flatten().any(|holder| {
        let names = ["name", "symbol", "to", "near"].map(|field| holder[field].to_string());
        holder["kind"] == kind && names.iter().any(|name| name.contains(word))
    })
}

#[test]
fn what_refers_to_a_version_keeps_it_and_is_named() -> Result<()> {
    let mut edited = Edited::start("purge-holders")?;
    for (order, kind, word) in [
        ("function", "static", "FUNCTION"),
        ("object", "static", "OBJECT"),
        ("text", "memory", ""),
        ("future", "static", "FUTURE"),
        ("waker", "memory", ""),
        ("destructor", "memory", ""),
        ("hook", "static", "HOOK"),
        ("signal", "signal", "10"),
        ("asleep", "calls", "order"),
        ("asleep", "stack", "sleeper"),
    ] {
        edited.edit()?;
        let held = edited.number;
        edited.session.ask(&format!("hold {order}"), "held")?;
        edited.edit()?;
        let dry = version(&edited.ask(&["purge", "--dry-run"])?, held)?;
        ensure!(is_named(&dry, kind, word), "{order}: {dry}");
        // Who refers to it by accident may go; who does so in truth stays.
        for _ in 0..5 {
            let kept = version(&edited.ask(&["purge"])?, held)?;
            ensure!(
                kept["state"] == "retained" || kept["state"] == "draining",
                "{order}: {kept}"
            );
            ensure!(is_named(&kept, kind, word), "{order}: {kept}");
        }
        edited.session.ask(&format!("drop {order}"), "dropped")?;
        edited.await_purge(held)?;
    }
    edited.session.quit()
}

/// A thread and a task that its code began, and a server whose handler waits in it.
#[test]
fn what_goes_on_in_old_code_is_ended_by_a_purge_and_by_policy() -> Result<()> {
    let mut edited = Edited::start("purge-ends")?;
    edited.edit()?;
    edited.session.ask("hold work", "held")?;
    edited.edit()?;
    let soft = version(&edited.ask(&["soft-purge"])?, 1)?;
    ensure!(is_named(&soft, "calls", "serve"), "{soft}");
    let server = "server purge_ends::Clerk `busy`";
    let victims = serde_json::json!(["thread `worker`", "task `waiter`", server]);
    for arguments in [&["purge", "--dry-run"][..], &["purge"]] {
        let report = edited.ask(arguments)?;
        ensure!(report["ended"] == victims, "{arguments:?}: {report}");
    }
    edited.await_purge(1)?;
    // Nobody takes it for a panic of new code, and the server has begun anew in the current version.
    edited.session.ask("hold began", "text 2")?;
    edited.session.expect("held")?;
    // The same before a third version.
    edited.session.ask("hold kill", "held")?;
    edited.session.ask("hold work", "held")?;
    edited.edit()?;
    edited.edit()?;
    edited.await_purge(2)?;
    let servers = edited.ask(&["servers"])?;
    ensure!(servers["servers"][1]["restarts"] == 2, "{servers}");
    edited.session.quit()
}

#[test]
fn a_version_lets_go_of_what_it_holds_itself() -> Result<()> {
    let mut edited = Edited::start("purge-own")?;
    edited.edit()?;
    edited.session.ask("hold own", "held")?;
    edited.edit()?;
    let dry = version(&edited.ask(&["purge", "--dry-run"])?, 1)?;
    ensure!(is_named(&dry, "static", "LET_GO"), "{dry}");
    // A failure is told, and keeps nothing.
    let asked = version(&edited.ask(&["purge"])?, 1)?;
    let remarks = asked["remarks"].to_string();
    ensure!(
        remarks.contains("(on_purge) failed: 1 has let go"),
        "{asked}"
    );
    ensure!(!is_named(&asked, "static", "LET_GO"), "{asked}");
    edited.await_purge(1)?;
    edited.session.quit()
}

/// The library has a list of them for good, and takes none out.
#[test]
fn a_callsite_of_tracing_keeps_its_version() -> Result<()> {
    let manifest = "[package]\nname = \"purge-callsite\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
                    hotswap-runtime = { path = \"$HOTSWAP_RUNTIME\" }\n\
                    tracing = { version = \"0.1\", default-features = false, features = [\"std\"] }\n";
    let source = include_str!("purge/callsite.rs");
    let package = Package::of_manifest("purge-callsite", manifest, source)?;
    let session = Session::run(&package, &[])?;
    let mut edited = Edited {
        package,
        session,
        number: 0,
    };
    edited.edit()?;
    edited.session.ask("x", "seen 1")?;
    edited.edit()?;
    for _ in 0..5 {
        let kept = version(&edited.ask(&["purge"])?, 1)?;
        ensure!(kept["state"] == "retained", "{kept}");
        ensure!(is_named(&kept, "static", "CALLSITES"), "{kept}");
    }
    edited.session.quit()
}

#[test]
fn what_runs_at_the_end_keeps_its_version() -> Result<()> {
    let mut edited = Edited::start("purge-exit")?;
    edited.edit()?;
    edited.session.ask("hold exit", "held")?;
    edited.edit()?;
    for _ in 0..5 {
        let kept = version(&edited.ask(&["purge"])?, 1)?;
        ensure!(kept["state"] == "retained", "{kept}");
        ensure!(
            is_named(&kept, "static", "") || is_named(&kept, "memory", ""),
            "{kept}"
        );
    }
    edited.session.quit()
}

#[test]
fn versions_leave_memory_by_themselves() -> Result<()> {
    let mut edited = Edited::start("purge-alone")?;
    for _ in 0..6 {
        edited.edit()?;
    }
    for _ in 0..400 {
        edited.session.ask("nothing", "nothing")?;
        let report = edited.ask(&["versions"])?;
        let versions = report["versions"].as_array().context("no versions")?;
        let mapped = versions
            .iter()
            .filter(|version| !version["mapped_bytes"].is_null());
        // The one that is current, and those that the program can go back to.
        if mapped.count() <= 3 {
            ensure!(version(&report, 1)?["state"] == "purged", "{report}");
            return edited.session.quit();
        }
    }
    let report = edited.ask(&["versions"])?;
    let versions = report["versions"].as_array().context("no versions")?;
    // A word of a block that nobody has written since may lie where it does by chance, about once in 300 swaps. How
    // often is looked at with a hundred purges, in `scale`; here it may happen to one version.
    let by_chance = versions.iter().filter(|version| {
        let holders = version["holders"].as_array();
        holders.is_some_and(|all| all.len() == 1 && all[0]["name"] == "[heap]")
    });
    let mapped = versions.iter().filter(|it| !it["mapped_bytes"].is_null());
    ensure!(
        by_chance.count() == 1 && mapped.count() == 4,
        "they stay: {report}"
    );
    edited.session.quit()
}
