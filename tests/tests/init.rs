//! A package that knows nothing of the runtime, until it is patched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb, workspace};

const MAIN: &str = r#"mod words;

fn main() {
    for line in std::io::stdin().lines() {
        println!("{}", words::answer(&line.unwrap()));
    }
}
"#;

const WORDS: &str = "/// Says hello.\npub fn answer(name: &str) -> String {\n    \
                     format!(\"Hello, {name}!\")\n}\n\npub fn any<T>(_: T) {}\n";

fn package(name: &str) -> Result<Package> {
    let package = Package::of_source(name, MAIN)?;
    let manifest =
        format!("[package]\nname = \"{name}\"\nedition = \"2024\" # kept\n\n[workspace]\n");
    package.write("Cargo.toml", manifest.as_bytes())?;
    package.write("src/words.rs", WORDS.as_bytes())?;
    Ok(package)
}

/// The files that `init` may write.
fn files(package: &Package) -> Result<BTreeMap<&'static str, String>> {
    let names = ["Cargo.toml", "Cargo.lock", "src/main.rs", "src/words.rs"];
    let read = names.map(|name| Ok((name, fs::read_to_string(package.root.join(name))?)));
    read.into_iter().collect()
}

fn init(package: &Package, arguments: &[&str]) -> Result<Output> {
    let runtime = workspace().join("hotswap-runtime");
    let runtime = runtime.to_string_lossy();
    let mut all = vec!["init", "--offline"];
    if !arguments.contains(&"--path") {
        all.extend(["--path", &*runtime]);
    }
    all.extend(arguments);
    Ok(hotswap_verb(package, &all)?.output()?)
}

/// Its words on both channels, once it ended with this code.
fn said(output: &Output, code: i32) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{}: {text}",
        output.status
    );
    Ok(text)
}

#[test]
fn a_package_becomes_one_that_can_be_patched() -> Result<()> {
    let package = package("init-fresh")?;
    let before = files(&package)?;
    let preview = said(&init(&package, &["--dry-run", "--mark-all"])?, 0)?;
    for words in [
        "answer  called in the loop of `main`",
        "src/words.rs:2",
        "--- a/src/words.rs",
        "+#[hotswap::entry]",
        "nothing was written",
    ] {
        ensure!(preview.contains(words), "{preview} lacks {words:?}");
    }
    ensure!(files(&package)? == before, "a dry run wrote");

    let added = said(&init(&package, &[])?, 0)?;
    ensure!(added.contains("--mark FUNCTION"), "{added}");
    let after = files(&package)?;
    ensure!(
        after["src/words.rs"] == WORDS && after["src/main.rs"] == MAIN,
        "a source changed"
    );
    let manifest = &after["Cargo.toml"];
    ensure!(
        manifest.contains("# kept") && manifest.contains("hotswap-runtime = {"),
        "{manifest}"
    );

    for _ in 0..2 {
        said(&init(&package, &["--mark", "answer"])?, 0)?;
        let marked = WORDS.replace("pub fn answer", "#[hotswap::entry]\npub fn answer");
        ensure!(
            files(&package)?["src/words.rs"] == marked,
            "not marked once"
        );
    }
    let shown = said(&init(&package, &["--message-format=json"])?, 0)?;
    let line: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap_or_default())?;
    ensure!(
        line["function"] == "words::answer" && line["marked"] == true,
        "{line}"
    );

    let mut session = Session::run(&package, &[])?;
    session.ask("Ann", "Hello, Ann!")?;
    package.edit("src/words.rs", "Hello", "Howdy")?;
    session.await_swapped()?;
    session.ask("Ann", "Howdy, Ann!")?;
    session.quit()
}

#[test]
fn on_any_error_the_files_stay_as_they_are() -> Result<()> {
    let package = package("init-errors")?;
    let before = files(&package)?;
    let read_only = |name: &str, mode: u32| {
        fs::set_permissions(package.root.join(name), fs::Permissions::from_mode(mode))
    };
    for (what, arguments, words) in [
        (
            "no such function",
            &["--mark", "anwser"][..],
            "did you mean `words::answer`?",
        ),
        (
            "generic",
            &["--mark", "answer", "any"],
            "it is generic over `T`",
        ),
        ("runs once", &["--mark", "main"], "it runs once"),
        (
            "no such folder",
            &["--path", "nowhere", "--mark-all"],
            "could not add",
        ),
        (
            "no such package",
            &["-p", "other"],
            "no package `other` in this workspace",
        ),
        (
            "both",
            &["--mark", "answer", "--mark-all"],
            "cannot be used with",
        ),
        ("read-only", &["--mark-all"], "src/words.rs is read-only"),
    ] {
        if what == "read-only" {
            read_only("src/words.rs", 0o444)?;
        }
        let output = init(&package, arguments)?;
        let code = if what == "both" { 2 } else { 101 };
        let text = said(&output, code)?;
        ensure!(text.contains(words), "{what}: {text}");
        ensure!(files(&package)? == before, "{what}: a file changed");
    }
    read_only("src/words.rs", 0o644)?;
    Ok(())
}
