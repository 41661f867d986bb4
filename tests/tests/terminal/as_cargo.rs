//! What `cargo run` does, `cargo hotswap run` does.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, cargo};

use super::program::{package, run};

/// Both commands with these flags and this input.
fn both(package: &Package, flags: &[&str], input: &str) -> Result<[Output; 2]> {
    let mut plain = cargo(package)?;
    plain.arg("run").args(flags);
    Ok([
        with_input(plain, input)?,
        with_input(run(package, flags)?, input)?,
    ])
}

fn with_input(mut command: Command, input: &str) -> Result<Output> {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Who does not get as far as the program reads nothing.
    let _ = child
        .stdin
        .take()
        .context("it is piped")?
        .write_all(input.as_bytes());
    Ok(child.wait_with_output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What cargo said, but for its words about other tests that hold a lock of its own.
fn without_waits(said: &[u8]) -> String {
    let said = text(said);
    let lines = said
        .lines()
        .filter(|line| !line.trim_start().starts_with("Blocking waiting"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn cargo_has_the_word_about_what_is_run() -> Result<()> {
    let package = package("selection")?;
    package.write("src/bin/other.rs", b"fn main() { println!(\"other\"); }\n")?;
    package.write("examples/demo.rs", b"fn main() { println!(\"demo\"); }\n")?;
    for flags in [
        "",
        "--bin",
        "--bin absent",
        "--bin other --bin terminal-selection",
        "--example",
        "--example absent",
        "--package",
        "--package absent",
        "--features absent --bin other",
        "--profile absent --bin other",
        "--target",
        "--manifest-path absent/Cargo.toml",
        "--config nonsense",
        "-v -q",
        "-Z nonsense",
    ] {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let [plain, hot] = both(&package, &words, "")?;
        ensure!(!plain.status.success(), "{flags}: {}", text(&plain.stderr));
        ensure!(
            plain.status.code() == hot.status.code(),
            "{flags}: {}",
            text(&hot.stderr)
        );
        ensure!(
            without_waits(&plain.stderr) == without_waits(&hot.stderr),
            "{flags}\ncargo:\n{}\nthe tool:\n{}",
            text(&plain.stderr),
            text(&hot.stderr)
        );
    }
    for (flags, answer) in [
        ("--bin other", "other\n"),
        ("--example demo", "demo\n"),
        (
            "-p terminal-selection --bin other --all-features",
            "other\n",
        ),
    ] {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let [plain, hot] = both(&package, &words, "")?;
        ensure!(
            text(&plain.stdout) == answer,
            "{flags}: {}",
            text(&plain.stderr)
        );
        ensure!(
            text(&hot.stdout) == answer,
            "{flags}: {}",
            text(&hot.stderr)
        );
    }
    let manifest = std::fs::read_to_string(package.root.join("Cargo.toml"))?;
    let manifest = manifest.replace("edition", "default-run = \"other\"\nedition");
    package.write("Cargo.toml", manifest.as_bytes())?;
    let [plain, hot] = both(&package, &[], "")?;
    ensure!(text(&plain.stdout) == "other\n" && plain.stdout == hot.stdout);
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_by_name() -> Result<()> {
    let package = package("senseless")?;
    for (flags, words) in [
        ("--unit-graph", ["--unit-graph", "cargo build --unit-graph"]),
        (
            "--message-format json-render-diagnostics",
            ["json-render-diagnostics", "use `json`"],
        ),
        ("--lib", ["--lib", "unexpected argument"]),
    ] {
        let given: Vec<&str> = flags.split_whitespace().collect();
        let output = run(&package, &given)?.stdin(Stdio::null()).output()?;
        let said = text(&output.stderr);
        ensure!(!output.status.success(), "{flags}: {said}");
        ensure!(
            words.iter().all(|word| said.contains(word)),
            "{flags}: {said}"
        );
    }
    Ok(())
}

#[test]
fn the_program_lives_in_the_same_surroundings() -> Result<()> {
    let package = package("surroundings")?;
    package.write(
        ".cargo/config.toml",
        b"[env]\nMY_PLAIN = \"1\"\nMY_FORCED = { value = \"2\", force = true }\n\
          MY_PATH = { value = \"here\", relative = true }\nMY_KEPT = \"3\"\n\
          [target.x86_64-unknown-linux-gnu]\nrunner = [\"env\", \"MY_RUNNER=4\"]\n",
    )?;
    package.write(
        "build.rs",
        b"fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
          println!(\"cargo::rustc-env=MY_SCRIPT=5\");\n    \
          println!(\"cargo::rustc-link-search=native={out}\");\n}\n",
    )?;
    let flags = [
        "--config",
        "env.MY_GIVEN = '6'",
        "--",
        "an argument",
        "--and",
        "another",
    ];
    let mut found = Vec::new();
    for mut command in [cargo(&package)?, hotswap_tests::hotswap(&package)?] {
        command
            .arg("run")
            .args(flags)
            .env("MY_KEPT", "kept")
            .env("MY_FORCED", "lost");
        let output = with_input(command, "env\n")?;
        ensure!(output.status.success(), "{}", text(&output.stderr));
        let running = text(&output.stderr);
        let running = running.lines().find(|line| line.contains("Running"));
        found.push((
            without_hashes(&text(&output.stdout)),
            running.map(str::to_owned),
        ));
    }
    for line in [
        "MY_PLAIN=1",
        "MY_FORCED=2",
        "MY_KEPT=kept",
        "MY_RUNNER=4",
        "MY_SCRIPT=5",
        "MY_GIVEN=6",
    ] {
        ensure!(found[0].0.contains(line), "{line}: {}", found[0].0);
    }
    ensure!(
        found[0] == found[1],
        "cargo:\n{}\nthe tool:\n{}",
        found[0].0,
        found[1].0
    );
    Ok(())
}

/// Cargo names the folder of a build script by its compiler wrapper too.
fn without_hashes(text: &str) -> String {
    let words = text.split_inclusive(['/', ':', '\n']);
    let plain = words.map(|word| match word.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 17 => format!("{name}/"),
        _ => word.to_owned(),
    });
    plain.collect()
}

#[test]
fn the_end_is_the_programs() -> Result<()> {
    use std::os::unix::process::ExitStatusExt;
    let package = package("ends")?;
    for (input, code, signal) in [
        ("", Some(0), None),
        ("exit 7\n", Some(7), None),
        ("raise 15\n", None, Some(15)),
        ("raise 9\n", None, Some(9)),
        ("raise 6\n", None, Some(6)),
    ] {
        for output in both(&package, &["-q"], input)? {
            let status = output.status;
            ensure!(
                status.code() == code,
                "{input}: {status} {}",
                text(&output.stderr)
            );
            ensure!(
                status.signal() == signal,
                "{input}: {status} {}",
                text(&output.stderr)
            );
            ensure!(
                output.stderr.is_empty(),
                "{input}: {}",
                text(&output.stderr)
            );
        }
    }
    Ok(())
}
