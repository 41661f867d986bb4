//! The times of a run, in the terminal and in a browser.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Browser, Package, Page, Session, hotswap_verb};
use serde_json::Value;

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

/// `cargo hotswap timings` of a session; its standard output.
fn timings(package: &Package, session: &Session, format: &str) -> Result<String> {
    let pid = session.tool_pid().to_string();
    let format = format!("--message-format={format}");
    let output = hotswap_verb(package, &["timings", "--pid", &pid, &format])?.output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {words}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn order(mut command: Command) -> Result<()> {
    let output = command.output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {words}", output.status);
    Ok(())
}

/// A run in which everything happens once: five edits that go live, one that changes no code, one
/// that is refused, one that does not compile, a revert, a restart.
fn eventful(package: &Package) -> Result<Session> {
    let mut session = Session::run(package, &[])?;
    let pid = session.tool_pid().to_string();
    let words = ["\"one\"", "\"two\"", "\"three\"", "\"<four>\""];
    for pair in words.windows(2) {
        package.edit("src/main.rs", pair[0], pair[1])?;
        session.await_swapped()?;
    }
    order(hotswap_verb(package, &["revert", "--pid", &pid])?)?;
    session.await_swapped()?;
    let source = SOURCE.replace("\"one\"", "\"<four>\"");
    package.write("src/main.rs", source.replace("U32", "U64").as_bytes())?;
    session.await_event("refused", &[])?;
    package.write(
        "src/main.rs",
        source.replace("\"<four>\"", "<four>").as_bytes(),
    )?;
    session.await_event("compile-error", &[])?;
    package.write("src/main.rs", source.as_bytes())?;
    session.await_swapped()?;
    package.write("src/main.rs", format!("{source}\n// The end.\n").as_bytes())?;
    session.await_event("unchanged", &[])?;
    order(hotswap_verb(package, &["restart", "--pid", &pid])?)?;
    session.await_restart()?;
    package.edit("src/main.rs", "\"<four>\"", "\"five\"")?;
    session.await_swapped()?;
    session.ask("x", "five 1")?;
    Ok(session)
}

#[test]
fn the_times_of_a_run_are_shown() -> Result<()> {
    let mut package = Package::of_source("timed-and-shown", SOURCE)?;
    package.use_own_planted_target()?;
    let session = eventful(&package)?;
    let table = timings(&package, &session, "human")?;
    let heading = "timed-and-shown: 5 edits live, 1 revert, 1 refused, 1 did not compile, \
                   1 changed no code, 1 restart";
    ensure!(
        table.starts_with(heading),
        "{table}\n{}",
        timings(&package, &session, "json")?
    );
    for word in [
        "median",
        "p95",
        "first edit",
        "compile",
        "load",
        "total",
        "slowest",
    ] {
        ensure!(table.contains(word), "{word:?} is missing:\n{table}");
    }
    let report: Value = serde_json::from_str(&timings(&package, &session, "json")?)?;
    let figures = &report["figures"];
    ensure!(figures["first"]["count"] == 2, "{report}");
    ensure!(figures["later"]["count"] == 3, "{report}");
    ensure!(
        report["swaps"].as_array().map(Vec::len) == Some(9),
        "{report}"
    );
    let page = PathBuf::from(report["page"].as_str().context("no page")?);
    let latest = page.with_file_name("hotswap-timings.html");
    ensure!(fs::read(&page)? == fs::read(&latest)?);
    let folder = package.root.join("target/hotswap/timings");
    ensure!(
        page.starts_with(fs::canonicalize(folder)?),
        "{}",
        page.display()
    );
    if let Some(browser) = Browser::find() {
        check_page(&browser.open(&latest)?)?;
    }
    session.quit()
}

/// What the page holds after its script has run.
fn check_page(page: &Page) -> Result<()> {
    ensure!(page.console.is_empty(), "{:?}", page.console);
    ensure!(page.count("data-shown=\"9\"") == 1, "{}", page.dom);
    ensure!(page.text_of("title") == Some("timed-and-shown: hotswap timings"));
    let summary = page.text_of("summary").unwrap_or_default();
    ensure!(
        summary.starts_with("5 edits live, 1 revert, 1 refused"),
        "{summary}"
    );
    // One bar for each: those that went live have their phases, the others a mark.
    let live = page.count("data-outcome=\"swapped\"");
    ensure!(live == 6, "{live} bars");
    ensure!(
        page.count("<rect") == live * 5,
        "{} phases",
        page.count("<rect")
    );
    ensure!(page.count("class=\"mark wrong\"") == 2, "{}", page.dom);
    ensure!(page.count("class=\"mark\"") == 1, "{}", page.dom);
    // A line where the program was started again.
    ensure!(page.count("class=\"start\"") == 1, "{}", page.dom);
    ensure!(page.count("class=\"slowest\"") == 1, "{}", page.dom);
    let rows = page.dom.split("id=\"edits\"").nth(1).unwrap_or_default();
    ensure!(rows.matches("<tr>").count() == 10, "{rows}");
    for text in [
        "version 1, first edit",
        "back to 2",
        "compile-error",
        "src/main.rs",
    ] {
        ensure!(rows.contains(text), "{text:?} is missing: {rows}");
    }
    // What the compiler said is shown as it is, and no markup.
    ensure!(rows.contains("&lt;four&gt;"), "{rows}");
    ensure!(!page.dom.contains("<four>"));
    Ok(())
}

#[test]
fn a_run_without_edits_has_a_page() -> Result<()> {
    let package = Package::of_source("not-timed", SOURCE)?;
    let session = Session::run(&package, &[])?;
    let table = timings(&package, &session, "human")?;
    ensure!(table.contains("nothing has gone live yet"), "{table}");
    let report: Value = serde_json::from_str(&timings(&package, &session, "json")?)?;
    let page = PathBuf::from(report["page"].as_str().context("no page")?);
    if let Some(browser) = Browser::find() {
        let page = browser.open(&page)?;
        ensure!(page.console.is_empty(), "{:?}", page.console);
        ensure!(page.count("Nothing has gone live yet") > 1, "{}", page.dom);
        ensure!(page.count("data-shown=\"0\"") == 1, "{}", page.dom);
    }
    session.quit()
}
