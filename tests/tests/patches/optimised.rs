//! Patches of a release build: what an optimising compiler would make something else of is as it was written.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hotswap_protocol::patch::container;
use hotswap_tests::{Package, Session, workspace};
use serde_json::{Value, json};

use super::{killed, text, tool};

/// A program with statics that are only written, only read, written in parts, or hold one of two values. None of this
/// is so any more in the patch.
const SOURCE: &str = r#"
use std::cell::Cell;
use std::io;

static mut WRITTEN: u32 = 0;
static mut READ: u32 = 7;
static mut TWO: u32 = 0;
static mut PARTS: [u64; 2] = [1, 2];
static mut CALLED: fn(u32) -> u32 = same;
thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

fn same(value: u32) -> u32 {
    value
}

fn main() {
    hotswap::listen(hotswap::Listen::new().public_key("KEY")).unwrap();
    for line in io::stdin().lines() {
        let number: u32 = line.unwrap().parse().unwrap();
        let answer = answer(number);
        // This code stays, and sees what the patch writes.
        println!("{answer} {} {}", unsafe { READ }, unsafe { CALLED }(thrice(std::cmp::max(number, 1))));
    }
}

fn thrice(number: u32) -> u32 {
    number * 3
}

#[hotswap::entry]
fn answer(number: u32) -> String {
    COUNT.set(COUNT.get() + 1);
    unsafe {
        WRITTEN = max(number);
        PARTS[0] += 1;
        PARTS[1] *= 2;
        if number == 3 {
            TWO = 5;
        }
        edit(number)
    }
}

fn max(number: u32) -> u32 {
    if number > 90 { 90 } else { number }
}

#[inline(never)]
unsafe fn edit(number: u32) -> String {
    let two = unsafe { TWO };
    format!("{number} {two}")
}
"#;

/// What the patch does.
const EDIT: &str = r#"    unsafe {
        READ = 8;
        CALLED = |value| value + 100;
        let (two, written, parts) = (TWO, WRITTEN, PARTS);
        format!("{number} {two} after {written} {parts:?} {}", COUNT.get())
    }
}
"#;

/// How many bytes a patch of one line may have.
const SMALL: usize = 100_000;

#[test]
fn statics_of_a_release_build_are_whole() -> Result<()> {
    let key = fs::read_to_string(workspace().join("tests/keys/test.pub"))?;
    let key = key.lines().last().context("a key has two lines")?;
    let mut package = Package::of_source("optimised", &SOURCE.replace("KEY", key))?;
    // What is optimised for a run is compiled anew.
    let mut session = Session::run(&package, &["--release"])?;
    session.ask("1", "1 0 7 3")?;
    session.quit()?;
    let (built, code) = tool(&package, &["build", "--release"])?;
    ensure!(code == 0, "{built}");
    let notes = built["notes"].to_string();
    ensure!(notes.contains("optimised as one unit"), "{built}");
    let path = |name: &str| built[name].as_str().context("no path");
    let mut program = Session::spawn(Command::new(path("executable")?))?;
    program.ask("1", "1 0 7 3")?;
    program.ask("3", "3 5 7 9")?;
    let pid = program.tool_pid().to_string();
    let expect = |words: &[&str]| -> Result<Value> {
        let (line, code) = tool(&package, words)?;
        ensure!(code == 0, "{words:?}: {line}");
        Ok(line)
    };

    let old = "    let two = unsafe { TWO };\n    format!(\"{number} {two}\")\n}\n";
    package.edit("src/main.rs", old, EDIT)?;
    let patch = package.root.join("whole.hotpatch");
    let (patch, secret) = (text(&patch)?, workspace().join("tests/keys/test.key"));
    let made = ["patch", "build", "--base", path("base")?, "-o", patch];
    let made = [&made[..], &["--key", text(&secret)?]].concat();
    // There is no code of it but in `main`, where it is as it was.
    package.edit(
        "src/main.rs",
        "    number * 3",
        "    let twice = number + number;\n    twice + number",
    )?;
    let built = expect(&made)?;
    ensure!(built["plan"]["still_old"] == json!([]), "{built}");
    // Now it is another, and stays there.
    package.edit("src/main.rs", "    twice + number", "    twice + twice")?;
    // That is in the entry, and one of that name, of another crate, in `main`.
    package.edit("src/main.rs", "{ 90 }", "{ 80 }")?;
    let built = expect(&made)?;
    ensure!(
        built["plan"]["still_old"] == json!(["optimised::thrice"]),
        "{built}"
    );
    is_small(&fs::read(patch)?)?;
    expect(&["patch", "apply", patch, "--pid", &pid])?;
    program.ask("4", "4 5 after 4 [4, 16] 3 8 112")?;
    expect(&["patch", "revert", "--pid", &pid])?;
    // What it has written stays, as all state does.
    program.ask("5", "5 5 8 115")?;
    drop(program);
    killed::at_each_call(&mut package, path("executable")?, patch)
}

/// A patch of one function holds little, and nothing for debuggers.
fn is_small(patch: &[u8]) -> Result<()> {
    ensure!(patch.len() < SMALL, "{} bytes", patch.len());
    for image in container::read(patch)?.images {
        let has = |name: &[u8]| image.windows(name.len()).any(|bytes| bytes == name);
        ensure!(has(b".symtab"), "no names of functions");
        ensure!(!has(b".debug_"), "debug information");
    }
    Ok(())
}
