//! Programs that went over to a release while they ran go on to the next one, and all the way back, beside one that
//! was started from a release between.

use std::fs;

use anyhow::{Result, ensure};
use hotswap_tests::plant;

use super::{Machine, file};

/// The plan of the third release for programs that were started from the first one.
const PLAN: &str = r#"
format = 1
from = ["1.0.0", "1.1.0"]

[[up]]
step = "call"
command = "echo $HOTSWAP_PID >> went"

[[up]]
step = "load"
crates = ["chained (bin)"]

[[up]]
step = "migrate"
cells = ["chained::WORLD"]

[[down]]
step = "load"
crates = ["chained (bin)"]

[[down]]
step = "migrate"
cells = ["chained::WORLD"]
"#;

#[test]
fn a_program_goes_on_from_release_to_release() -> Result<()> {
    let machine = Machine::new("chained")?;
    make_all(&machine)?;
    for version in ["1.0.0", "1.1.0", "1.2.0", "1.3.0"] {
        machine.unpack(version, (0, true))?;
    }
    machine.expect(&["permanent", "1.0.0"], (0, true))?;
    let mut first = machine.start()?;
    first.ask("a", "a by one, 1")?;
    // It is not where the way begins, but may go there.
    let refused = machine.expect(&["install", "1.2.0"], (11, false))?;
    let told = refused["error"].as_str().unwrap_or_default();
    for word in [
        "begins at: 1.1.0; 1.1.0 in a program that came from 1.0.0",
        "it has no patches",
    ] {
        ensure!(told.contains(word), "{refused}");
    }
    machine.expect(&["install", "1.1.0"], (0, true))?;
    machine.expect(&["permanent", "1.1.0"], (0, true))?;
    first.ask("b", "b by two, 2 10")?;
    let mut second = machine.start()?;
    second.ask("c", "c by two, 1 10")?;
    let (lines, code) = machine.run(&["install", "1.2.0", "--all"])?;
    ensure!(code == Some(0) && lines.len() == 2, "{lines:?}");
    let went = fs::read_to_string(machine.package.root.join("went"))?;
    ensure!(went == format!("{}\n", first.tool_pid()), "{went}");
    first.ask("d", "d by three, 3 20 7")?;
    second.ask("e", "e by three, 2 20 7")?;
    is(&machine, "old permanent current! unpacked")?;
    machine.expect(
        &["check", "1.3.0", "--pid", &first.tool_pid().to_string()],
        (0, false),
    )?;
    let (lines, code) = machine.run(&["install", "1.3.0", "--all"])?;
    ensure!(code == Some(0) && lines.len() == 2, "{lines:?}");
    first.ask("f", "f by four, 4 30 14")?;
    second.ask("g", "g by four, 3 30 14")?;
    is(&machine, "old permanent unpacked current!")?;
    // It may come back to it.
    machine.expect(&["remove", "1.2.0"], (16, false))?;
    machine.expect(&["rollback"], (0, true))?;
    machine.expect(&["permanent", "1.2.0"], (0, true))?;
    first.ask("h", "h by three, 5 40 21")?;
    machine.expect(&["remove", "1.3.0"], (0, true))?;
    machine.expect(&["rollback", "1.2.0"], (0, true))?;
    is(&machine, "old permanent! unpacked")?;
    // What the permanent one was made from is installed, and not meant.
    machine.expect(&["permanent", "1.2.0", "--on-restart"], (0, true))?;
    machine.expect(&["rollback"], (0, true))?;
    is(&machine, "old permanent! unpacked")?;
    first.ask("i", "i by two, 6 50")?;
    second.ask("j", "j by two, 4 40")?;
    // The second program was started from it.
    let (lines, code) = machine.run(&["rollback", "1.1.0"])?;
    ensure!(code == Some(15) && lines.len() == 3, "{lines:?}");
    is(&machine, "permanent! current! unpacked")?;
    first.ask("k", "k by one, 7")?;
    second.ask("l", "l by two, 5 50")
}

/// Four releases, each of which changes the state but the last.
fn make_all(machine: &Machine) -> Result<()> {
    let folders = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
        .map(|version| machine.package.root.join("target").join(version));
    fs::create_dir(machine.package.root.join("target"))?;
    for folder in &folders {
        plant(folder)?;
    }
    let main = "src/main.rs";
    let edit = |from: &str, to: &str| machine.package.edit(main, from, to);
    let [first, second, third] = ["1.0.0", "1.1.0", "1.2.0"].map(file);
    machine.make_in(&folders[0], "1.0.0", &[])?;
    edit("    rounds: u32,\n", "    rounds: u32,\n    total: u64,\n")?;
    edit(
        "    format!(\"{line} by one, {}\", world.rounds)",
        "    world.total += 10;\n    format!(\"{line} by two, {} {}\", world.rounds, world.total)",
    )?;
    machine.make_in(&folders[1], "1.1.0", &["--from", &first])?;
    edit("    total: u64,\n", "    third: u64,\n    total: u64,\n")?;
    edit(
        "    format!(\"{line} by two, {} {}\", world.rounds, world.total)",
        "    world.third += 7;\n    format!(\"{line} by three, {} {} {}\", world.rounds, world.total, world.third)",
    )?;
    machine.package.write("plan.toml", PLAN.as_bytes())?;
    let made = machine.make_in(
        &folders[2],
        "1.2.0",
        &[
            "--from",
            &second,
            "--earlier",
            &first,
            "--plan",
            "plan.toml",
        ],
    )?;
    let ways = made["release"]["ways"].as_array().map(Vec::len);
    ensure!(ways == Some(2) && made["plans"][1] == PLAN, "{made}");
    edit("by three", "by four")?;
    let alone = machine.make_in(&folders[3], "1.3.0", &["--from", &third])?;
    let ways = alone["release"]["ways"].as_array().map(Vec::len);
    ensure!(ways == Some(1), "{alone}");
    let all = ["--from", &third, "--earlier", &second, "--earlier", &first];
    let made = machine.make_in(&folders[3], "1.3.0", &all)?;
    let from = made["release"]["ways"][2]["from"].as_array().map(Vec::len);
    ensure!(from == Some(3), "{made}");
    Ok(())
}

fn is(machine: &Machine, expected: &str) -> Result<()> {
    let states = machine.states()?;
    ensure!(states == expected, "{states}, expected {expected}");
    Ok(())
}
