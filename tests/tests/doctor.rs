//! Real set-ups, good and bad, before the doctor.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{COMMAND, Package, Session, hotswap_verb, inside, with_disk};
use serde_json::Value;

const SOURCE: &str = "fn main() {\n    answer();\n}\n\n#[hotswap::entry]\nfn answer() {}\n";

/// The findings that are no `ok`, as `check: status`, and all text.
fn examine(command: &mut Command, code: i32) -> Result<(Vec<String>, String)> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{}: {text}{errors}",
        output.status
    );
    let mut bad = Vec::new();
    for line in text.lines() {
        let finding: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(finding["format"] == 1, "{finding}");
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        // What depends on the machine that the tests run on is none of theirs.
        let of_machine = ["watching", "system", "temporary files", "toolchain"];
        if word("status") != "ok" && !of_machine.contains(&word("check").as_str()) {
            ensure!(!word("help").is_empty(), "{finding} has no help");
            bad.push(format!("{}: {}", word("check"), word("status")));
        }
    }
    ensure!(text.lines().count() > 8, "{text}");
    Ok((bad, text))
}

fn doctor(package: &Package, arguments: &[&str], code: i32) -> Result<(Vec<String>, String)> {
    let all = [&["doctor", "--message-format=json"], arguments].concat();
    examine(&mut hotswap_verb(package, &all)?, code)
}

/// Files and variables of a bad set-up, what is found, and a word in it.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static str,
);

const CASES: [Case; 9] = [
    ("good", &[], &[], &[], "1 function is marked"),
    (
        "slow profile",
        &[(
            ".cargo/config.toml",
            "[profile.dev]\nlto = \"thin\"\npanic = \"abort\"\n",
        )],
        &[("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1")],
        &["lto: warning", "panic: warning", "codegen-units: warning"],
        ".cargo/config.toml",
    ),
    (
        "dynamic",
        &[(
            ".cargo/config.toml",
            "[build]\nrustflags = [\"-C\", \"prefer-dynamic\"]\n",
        )],
        &[],
        &["rustflags: problem"],
        "prefer-dynamic",
    ),
    (
        "no such linker",
        &[(
            ".cargo/config.toml",
            "[target.x86_64-unknown-linux-gnu]\nlinker = \"no-such-linker\"\n",
        )],
        &[],
        &["linker: problem"],
        "`no-such-linker` was not found",
    ),
    (
        "static",
        &[],
        &[("RUSTFLAGS", "-C target-feature=+crt-static")],
        &["target: problem"],
        "could not load code",
    ),
    (
        "wrong setting",
        &[("hotswap.toml", "watch = { poll = \"often\" }\n")],
        &[],
        &["settings: problem"],
        "hotswap.toml:1:18",
    ),
    (
        "unknown setting",
        &[("hotswap.toml", "debug-patch = true\n")],
        &[],
        &["settings: warning"],
        "did you mean `debug-patches`?",
    ),
    (
        "not marked",
        &[("src/main.rs", "fn main() {}\n")],
        &[],
        &["entries: problem"],
        "cargo hotswap init",
    ),
    (
        "shared library",
        &[
            (
                "helper/Cargo.toml",
                "[package]\nname = \"helper\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"lib\", \"cdylib\"]\n",
            ),
            ("helper/src/lib.rs", ""),
            (
                "Cargo.toml",
                "[package]\nname = \"examined\"\nedition = \"2024\"\n[dependencies]\nhotswap-runtime = { path = \"$HOTSWAP_RUNTIME\" }\nhelper = { path = \"helper\" }\n[workspace]\n",
            ),
        ],
        &[],
        &["crate-type: problem"],
        "`helper` is also built",
    ),
];

#[test]
fn each_set_up_is_seen_for_what_it_is() -> Result<()> {
    for (what, files, variables, expected, word) in CASES {
        let mut package = Package::of_source("examined", SOURCE)?;
        for (file, text) in files {
            package.write(file, text.as_bytes())?;
        }
        let pairs = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        package.env.extend(pairs);
        let problem = expected.iter().any(|finding| finding.ends_with("problem"));
        let (found, text) = doctor(&package, &[], i32::from(problem))?;
        ensure!(found == expected, "{what}: {found:?}\n{text}");
        ensure!(text.contains(word), "{what}: {text}");
    }
    Ok(())
}

#[test]
fn what_run_refuses_is_found_before() -> Result<()> {
    let package = Package::of_source("doctor-refused", SOURCE)?;
    package.write("helper/src/lib.rs", b"pub fn word() {}\n")?;
    let (_, files, ..) = CASES
        .into_iter()
        .find(|(what, ..)| *what == "shared library")
        .context("a case")?;
    for (file, text) in files.iter().filter(|(file, _)| file.ends_with(".toml")) {
        let text = text.replace("name = \"examined\"", "name = \"doctor-refused\"");
        package.write(file, text.as_bytes())?;
    }
    package.edit("src/main.rs", "answer();", "answer();\n    helper::word();")?;
    let mut session = Session::start(&package, &[])?;
    session.await_event("refused", &["helper".to_owned()])?;
    session.exits(1)
}

#[test]
fn other_targets_are_found_before_anything_is_built() -> Result<()> {
    let package = Package::of_source("doctor-targets", SOURCE)?;
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-gnu"] {
        let (found, text) = doctor(&package, &["--target", target], 1)?;
        ensure!(
            found == ["target: problem"] && text.contains(target),
            "{found:?}\n{text}"
        );
    }
    Ok(())
}

#[test]
fn where_there_is_no_package_the_rest_is_checked() -> Result<()> {
    let package = Package::of_source("doctor-nothing", SOURCE)?;
    fs::remove_file(package.root.join("Cargo.toml"))?;
    let (found, text) = doctor(&package, &["--manifest-path", "Cargo.toml"], 1)?;
    ensure!(
        found == ["package: problem"] && text.contains("Cargo.toml"),
        "{found:?}\n{text}"
    );
    Ok(())
}

/// A mount that nobody else sees.
#[test]
fn a_target_folder_that_executes_nothing_is_found() -> Result<()> {
    let package = Package::of_source("doctor-noexec", SOURCE)?;
    let folder = package.root.join("mounted");
    fs::create_dir(&folder)?;
    let Some(outer) = with_disk(&folder, "noexec,size=1M", COMMAND) else {
        return Ok(());
    };
    let mut tool = hotswap_verb(&package, &["doctor", "--message-format=json"])?;
    tool.arg("--target-dir").arg(&folder);
    let (found, text) = examine(&mut inside(outer, &tool), 1)?;
    ensure!(
        found == ["target folder: problem", "target folder: problem"],
        "{found:?}\n{text}"
    );
    ensure!(
        text.contains("`noexec`") && text.contains("MiB left"),
        "{text}"
    );
    Ok(())
}
