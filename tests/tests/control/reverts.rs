//! Going back, and forward again.

use anyhow::{Result, ensure};
use hotswap_tests::{Event, Gate, Session};

use super::{Verb, order, package, status};

#[test]
fn reverts_go_back_and_a_save_goes_forward() -> Result<()> {
    let package = package("reverted")?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    for (from, to, count) in [("one", "two", 2), ("two", "three", 3)] {
        package.edit("src/main.rs", &format!("{from:?}"), &format!("{to:?}"))?;
        session.await_swapped()?;
        session.ask("x", &format!("{to} {count}"))?;
    }
    let outcome = order(&package, &session, "revert")?;
    ensure!(
        outcome["result"] == "done" && outcome["version"] == 3,
        "{outcome}"
    );
    ensure!(session.await_swapped()?.number("reverts_to") == Some(1));
    session.ask("x", "two 4")?;
    let pid = session.pid()?.to_string();
    let said = "to the code of version 0, as version 4";
    Verb::run(&package, &["revert", "--pid", &pid])?.expect(0, &["Reverted", said])?;
    ensure!(session.await_swapped()?.number("reverts_to") == Some(0));
    session.ask("x", "one 5")?;
    Verb::run(&package, &["revert", "--pid", &pid])?
        .expect(1, &["nothing to go back to", "started with"])?;
    session.ask("x", "one 6")?;
    // The sources are as they were: a save is enough.
    let newest = std::fs::read(package.root.join("src/main.rs"))?;
    package.write("src/main.rs", &newest)?;
    ensure!(session.await_swapped()?.number("version") == Some(5));
    session.ask("x", "three 7")?;
    // One more, and the stack is as deep as what was made live since.
    package.edit("src/main.rs", "\"three\"", "\"four\"")?;
    session.await_swapped()?;
    session.ask("x", "four 8")?;
    order(&package, &session, "revert")?;
    session.await_swapped()?;
    session.ask("x", "three 9")?;
    order(&package, &session, "revert")?;
    session.await_swapped()?;
    session.ask("x", "one 10")?;
    let swaps = status(&package, &session)?["run"]["swaps"].clone();
    let reverts = swaps.as_array().into_iter().flatten();
    let reverts = reverts.filter(|swap| !swap["reverts_to"].is_null()).count();
    ensure!(reverts == 4, "{swaps}");
    session.quit()
}

#[test]
fn a_revert_leaves_an_edit_that_does_not_compile_alone() -> Result<()> {
    let package = package("reverted-broken")?;
    let mut session = Session::run(&package, &[])?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two 1")?;
    package.edit("src/main.rs", "\"two\"", "two")?;
    session.await_event("compile-error", &[])?;
    order(&package, &session, "revert")?;
    session.await_swapped()?;
    session.ask("x", "one 2")?;
    package.edit("src/main.rs", "{}\", two,", "{}\", \"three\",")?;
    session.await_swapped()?;
    session.ask("x", "three 3")?;
    session.quit()
}

#[test]
fn a_library_goes_back_and_forward_with_what_uses_it() -> Result<()> {
    let package = package("reverted-library")?;
    package.write(
        "Cargo.toml",
        b"[workspace]\nmembers = [\"word\"]\n\n[package]\nname = \"reverted-library\"\n\
          edition = \"2024\"\n\n[dependencies]\nword = { package = \"reverted-library-word\", path = \"word\" }\n\
          hotswap-runtime = { path = \"$HOTSWAP_RUNTIME\" }\n",
    )?;
    package.write(
        "word/Cargo.toml",
        b"[package]\nname = \"reverted-library-word\"\nedition = \"2024\"\n[lib]\nname = \"word\"\n",
    )?;
    package.write(
        "word/src/lib.rs",
        b"pub fn word() -> &'static str { \"one\" }\n",
    )?;
    let main = super::SOURCE.replace("\"one\"", "word::word()");
    package.write("src/main.rs", main.as_bytes())?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one 1")?;
    package.edit("word/src/lib.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two 2")?;
    order(&package, &session, "revert")?;
    session.await_swapped()?;
    session.ask("x", "one 3")?;
    // Only the other crate is saved, and both are as new as their sources.
    package.edit("src/main.rs", "\"{} {}\"", "\"{}, {}\"")?;
    session.await_swapped()?;
    session.ask("x", "two, 4")?;
    session.quit()
}

/// What dependents were compiled against is newer than what runs after a revert.
#[test]
fn a_save_after_a_revert_finds_what_dependents_were_compiled_against() -> Result<()> {
    let package = package("reverted-dependents")?;
    package.write(
        "Cargo.toml",
        b"[workspace]\nmembers = [\"word\"]\n\n[package]\nname = \"reverted-dependents\"\n\
          edition = \"2024\"\n\n[dependencies]\nword = { package = \"reverted-dependents-word\", path = \"word\" }\n\
          hotswap-runtime = { path = \"$HOTSWAP_RUNTIME\" }\n",
    )?;
    package.write(
        "word/Cargo.toml",
        b"[package]\nname = \"reverted-dependents-word\"\nedition = \"2024\"\n[lib]\nname = \"word\"\n",
    )?;
    package.write(
        "word/src/lib.rs",
        b"pub fn word() -> &'static str { \"one\" }\n\
          pub fn twice<T: std::fmt::Display>(it: T) -> String { format!(\"{it}, {it}\") }\n",
    )?;
    let main = super::SOURCE.replace("\"one\"", "word::twice(word::word())");
    package.write("src/main.rs", main.as_bytes())?;
    let mut session = Session::run(&package, &[])?;
    session.ask("x", "one, one 1")?;
    // The first is not shown to the dependent, the second is in the dependent's objects.
    package.edit("word/src/lib.rs", "\"one\"", "\"two\"")?;
    ensure!(!compiled(&session.await_swapped()?, "reverted_dependents"));
    package.edit("word/src/lib.rs", "{it}, {it}", "{it} and {it}")?;
    ensure!(compiled(&session.await_swapped()?, "reverted_dependents"));
    session.ask("x", "two and two 2")?;
    order(&package, &session, "revert")?;
    session.await_swapped()?;
    session.ask("x", "two, two 3")?;
    // A body alone: the dependent goes on as it was compiled last, not as it ran last.
    package.edit("word/src/lib.rs", "\"two\"", "\"three\"")?;
    ensure!(!compiled(&session.await_swapped()?, "reverted_dependents"));
    session.ask("x", "three and three 4")?;
    for expected in ["two, two 5", "one, one 6"] {
        order(&package, &session, "revert")?;
        session.await_swapped()?;
        session.ask("x", expected)?;
    }
    // What the library shows changes, and the dependent with it.
    package.edit("word/src/lib.rs", "{it} and {it}", "{it} or {it}")?;
    ensure!(compiled(&session.await_swapped()?, "reverted_dependents"));
    session.ask("x", "three or three 7")?;
    session.quit()
}

/// Whether a swap compiled this crate.
fn compiled(swapped: &Event, name: &str) -> bool {
    swapped.field_has("compiled", &[name.to_owned()])
}

#[test]
fn a_revert_waits_for_the_edit_under_way() -> Result<()> {
    let package = package("reverted-late")?;
    let mut session = Session::run(&package, &[])?;
    let gate = Gate::close(&package.root.join("src/gate.txt"))?;
    package.edit("src/main.rs", "\"one\"", "include_str!(\"gate.txt\")")?;
    let held = gate.await_reader()?;
    let pid = session.pid()?.to_string();
    let mut revert = hotswap_tests::hotswap_verb(&package, &["revert", "--pid", &pid])?.spawn()?;
    // Status is told while the compiler works, and the program runs on.
    let status = status(&package, &session)?;
    ensure!(status["run"]["activity"] == "swapping", "{status}");
    session.ask("x", "one 1")?;
    held.open("two")?;
    ensure!(session.await_swapped()?.number("version") == Some(1));
    // It was asked for before, or after the edit: in both cases it follows.
    ensure!(session.await_swapped()?.number("reverts_to") == Some(0));
    let status = revert.wait()?;
    ensure!(status.success(), "{status}");
    session.ask("x", "one 2")?;
    session.quit()
}
