//! A release that a program goes over to while it runs, and does not come back from.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Machine, file};

/// What the first release has in its cell, and the second one does not: going back, nothing says what it was.
const FIELD: &str = "    rounds: u32,\n    since: std::num::NonZeroU32,\n";
const DEFAULT: &str = "World::default";
const FULL: &str = "|| World { rounds: 0, since: std::num::NonZeroU32::MIN }";

/// A command behind the load fails, or ends the tool.
const PLAN: &str = r#"
format = 1
from = ["1.0.0"]

[[up]]
step = "load"
crates = ["oneway (bin)"]

[[up]]
step = "migrate"
cells = ["oneway::WORLD"]

[[up]]
step = "call"
command = "test ! -e kill || kill -9 $PPID; test ! -e fail"

[[up]]
step = "point-of-no-return"

[[down]]
step = "restart"
reasons = ["there is no way back"]
"#;

/// Whatever happens behind the load: the program has the release, and for good.
#[test]
fn nothing_waits_for_a_way_back_that_is_not_there() -> Result<()> {
    let machine = Machine::new("oneway")?;
    let main = "src/main.rs";
    let edit = |from: &str, to: &str| machine.package.edit(main, from, to);
    edit(
        "#[derive(hotswap::Migrate, Default)]",
        "#[derive(hotswap::Migrate)]",
    )?;
    edit("    rounds: u32,\n", FIELD)?;
    edit(DEFAULT, FULL)?;
    machine.make("1.0.0", &[])?;
    edit(FIELD, "    rounds: u32,\n")?;
    edit(FULL, "|| World { rounds: 0 }")?;
    edit("by one", "by two")?;
    machine.package.write("plan.toml", PLAN.as_bytes())?;
    let made = machine.make("1.1.0", &["--from", &file("1.0.0"), "--plan", "plan.toml"])?;
    let why = &made["release"]["ways"][0]["no_way_back"];
    ensure!(
        why[0].as_str().is_some_and(|why| why.contains("since")),
        "{made}"
    );
    for version in ["1.0.0", "1.1.0"] {
        machine.unpack(version, (0, true))?;
    }
    machine.expect(&["permanent", "1.0.0"], (0, true))?;

    for word in ["kill", "fail"] {
        let mut program = machine.start()?;
        program.ask("a", "a by one, 1")?;
        let flag = machine.package.root.join(word);
        fs::write(&flag, "")?;
        let (lines, code) = machine.run(&["install", "1.1.0"])?;
        fs::remove_file(&flag)?;
        ensure!(told(&lines, code) == (word == "fail"), "{code:?} {lines:?}");
        program.ask("b", "b by two, 2")?;
        let states = machine.states()?;
        ensure!(states == "permanent current!", "{states}");
        // It would be installed once more if it were to go by itself.
        machine.expect(&["install", "1.1.0"], (0, false))?;
        let refused = machine.expect(&["rollback"], (15, false))?;
        ensure!(
            refused["error"]
                .as_str()
                .is_some_and(|error| error.contains("restart")),
            "{refused}"
        );
        program.ask("c", "c by two, 3")?;
    }
    Ok(())
}

/// Whether the tool lived to tell that the program stays there.
fn told(lines: &[Value], code: Option<i32>) -> bool {
    let error = lines.first().and_then(|line| line["error"].as_str());
    code == Some(12)
        && error.is_some_and(|error| error.contains("the point of no return was behind"))
}
