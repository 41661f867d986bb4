//! Releases: from one to the next in a program that runs, through crashes, and back.

mod chain;
mod full;
mod killed;
mod one_way;
mod power;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb, workspace};
use serde_json::Value;

/// A program that answers, and keeps a count in a cell.
const SOURCE: &str = r#"
use std::io;

#[derive(hotswap::Migrate, Default)]
struct World {
    rounds: u32,
}

static WORLD: hotswap::Live<World> = hotswap::Live::new(World::default);

fn main() {
    hotswap::listen(hotswap::Listen::new().public_key("KEY")).unwrap();
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let mut world = WORLD.write();
    world.rounds += 1;
    format!("{line} by one, {}", world.rounds)
}
"#;

/// The plan of the second release, with a command between that a test has fail, or end the tool.
const PLAN: &str = r#"
format = 1
from = ["1.0.0"]

[[up]]
step = "load"
crates = ["released (bin)"]

[[up]]
step = "migrate"
cells = ["released::WORLD"]

[[up]]
step = "call"
command = "test ! -e back || /proc/$PPID/exe hotswap patch revert --pid $HOTSWAP_PID; test ! -e kill || kill -9 $PPID; test $HOTSWAP_NAME = released && ! grep -sx $HOTSWAP_PID fail"
undo = "touch undone"

[[down]]
step = "call"
command = "! grep -sx $HOTSWAP_PID stay"

[[down]]
step = "suspend"

[[down]]
step = "load"
crates = ["released (bin)"]

[[down]]
step = "migrate"
cells = ["released::WORLD"]

[[down]]
step = "resume"
"#;

/// A machine on which releases are made, and run.
struct Machine {
    /// The name of the program.
    name: &'static str,
    package: Package,
    root: PathBuf,
}

impl Machine {
    /// Whoever asks for programs of a name finds those of other tests, too.
    fn new(name: &'static str) -> Result<Self> {
        let key = fs::read_to_string(workspace().join("tests/keys/test.pub"))?;
        let key = key.lines().last().context("a key has two lines")?;
        let package = Package::of_source(name, &SOURCE.replace("KEY", key))?;
        let root = package.root.join("store");
        Ok(Self {
            name,
            package,
            root,
        })
    }

    /// Runs a verb; the result is its lines of JSON, and its exit code, none if somebody has ended it.
    fn run(&self, words: &[&str]) -> Result<(Vec<Value>, Option<i32>)> {
        let words = [&["release"], words, &["--message-format=json"]].concat();
        let mut command = hotswap_verb(&self.package, &words)?;
        let output = command.env("HOTSWAP_RELEASES", &self.root).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().map(serde_json::from_str);
        let lines = lines.collect::<Result<_, _>>().with_context(|| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            format!("{words:?} says no JSON: {text}{stderr}")
        })?;
        Ok((lines, output.status.code()))
    }

    /// The first line of a verb, which ends with this code and changes something or not.
    fn expect(&self, words: &[&str], expected: (i32, bool)) -> Result<Value> {
        let (mut lines, code) = self.run(words)?;
        ensure!(!lines.is_empty(), "{words:?}: {code:?}");
        let line = lines.swap_remove(0);
        let changed = line["changed"].as_bool().unwrap_or_default();
        ensure!(
            (code, changed) == (Some(expected.0), expected.1),
            "{words:?}: {code:?} {line} {lines:?}"
        );
        Ok(line)
    }

    fn make(&self, version: &str, more: &[&str]) -> Result<Value> {
        let target = self.package.shared_target()?.context("no target folder")?;
        self.make_in(&target, version, more)
    }

    fn make_in(&self, target: &Path, version: &str, more: &[&str]) -> Result<Value> {
        let key = workspace().join("tests/keys/test.key");
        let (target, key) = (text(target)?, text(&key)?);
        let output = file(version);
        let words = [
            "make",
            version,
            "--output",
            &output,
            "--target-dir",
            target,
            "--key",
            key,
        ];
        let (mut lines, code) = self.run(&[&words, more].concat())?;
        ensure!(code == Some(0), "{lines:?}");
        Ok(lines.remove(0))
    }

    fn unpack(&self, version: &str, expected: (i32, bool)) -> Result<Value> {
        let key = workspace().join("tests/keys/test.pub");
        let path = self.package.root.join(file(version));
        self.expect(
            &["unpack", text(&path)?, "--public-key", text(&key)?],
            expected,
        )
    }

    /// The states of all releases, in their order, and of each whether the program runs it.
    fn states(&self) -> Result<String> {
        let (lines, code) = self.run(&["list"])?;
        ensure!(code == Some(0), "{lines:?}");
        let state = |line: &Value| {
            let runs = line["running"]
                .as_array()
                .is_some_and(|pids| !pids.is_empty());
            let state = line["state"].as_str().unwrap_or_default();
            format!("{state}{}", if runs { "!" } else { "" })
        };
        Ok(lines.iter().map(state).collect::<Vec<_>>().join(" "))
    }

    /// Starts the program as its service would.
    fn start(&self) -> Result<Session> {
        Session::spawn(Command::new(self.permanent()))
    }

    /// What its service starts.
    fn permanent(&self) -> PathBuf {
        self.root.join(self.name).join("permanent").join(self.name)
    }
}

fn file(version: &str) -> String {
    format!("{version}.hotrelease")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the tests is text")
}

#[test]
fn a_program_goes_over_to_a_release_and_back() -> Result<()> {
    let machine = Machine::new("released")?;
    make_two(&machine)?;
    full::nothing_is_half_there(&machine)?;
    power::fails(&machine)?;
    killed::at_each_call(&machine)?;
    let mut program = machine.start()?;
    program.ask("a", "a by one, 1")?;
    what_fails_leaves_the_old(&machine, &mut program)?;
    until_it_is_permanent_a_crash_goes_back(&machine, program)?;
    back_again(&machine)?;
    what_is_refused_needs_a_restart(&machine)
}

/// The first release is made and permanent, the second one unpacked.
fn make_two(machine: &Machine) -> Result<()> {
    let first = machine.make("1.0.0", &[])?;
    ensure!(
        first["signed"] == true && first["plans"].as_array().is_some_and(Vec::is_empty),
        "{first}"
    );
    let main = "src/main.rs";
    let by_one = "    format!(\"{line} by one, {}\", world.rounds)";
    let by_two =
        "    world.total += 10;\n    format!(\"{line} by two, {} {}\", world.rounds, world.total)";
    machine.package.edit(main, by_one, by_two)?;
    machine.package.edit(
        main,
        "    rounds: u32,\n",
        "    rounds: u32,\n    total: u64,\n",
    )?;
    machine.package.write("plan.toml", PLAN.as_bytes())?;
    let second = machine.make("1.1.0", &["--from", &file("1.0.0"), "--plan", "plan.toml"])?;
    ensure!(
        second["release"]["ways"][0]["cells"][0] == "released::WORLD",
        "{second}"
    );
    let other = hotswap_verb(
        &machine.package,
        &["release", "unpack", &file("1.0.0"), "--public-key"],
    )?
    .arg("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3")
    .env("HOTSWAP_RELEASES", &machine.root)
    .output()?;
    ensure!(other.status.code() == Some(10), "{other:?}");
    ensure!(
        !machine.root.exists(),
        "what is not trusted leaves something"
    );
    for version in ["1.0.0", "1.1.0"] {
        machine.unpack(version, (0, true))?;
        machine.unpack(version, (0, false))?;
    }
    machine.expect(&["permanent", "1.0.0"], (0, true))?;
    machine.expect(&["permanent", "1.0.0"], (0, false))?;
    ensure!(
        machine.states()? == "permanent unpacked",
        "{}",
        machine.states()?
    );
    let none = machine.expect(&["install", "1.1.0"], (13, false))?;
    ensure!(none["failure"] == "none", "{none}");
    Ok(())
}

/// A step that fails, and an end of the tool, on the way up.
fn what_fails_leaves_the_old(machine: &Machine, program: &mut Session) -> Result<()> {
    let (fail, kill) = (
        machine.package.root.join("fail"),
        machine.package.root.join("kill"),
    );
    machine.expect(&["check", "1.1.0"], (0, false))?;
    // No way leads to what it was started from, and none is needed.
    for verb in ["check", "install"] {
        machine.expect(&[verb, "1.0.0"], (0, false))?;
    }
    machine.expect(&["permanent", "1.1.0"], (11, false))?;
    fs::write(&fail, program.tool_pid().to_string())?;
    let failed = machine.expect(&["install", "1.1.0"], (12, false))?;
    let told = failed["error"].as_str().unwrap_or_default();
    ensure!(told.contains("the program is as it was before"), "{failed}");
    ensure!(
        !machine.package.root.join("undone").exists(),
        "what failed was undone"
    );
    program.ask("b", "b by one, 2")?;
    fs::remove_file(&fail)?;
    // Somebody takes it back just then, or the program itself.
    let back = machine.package.root.join("back");
    fs::write(&back, "")?;
    let gone = machine.expect(&["install", "1.1.0"], (12, false))?;
    let told = gone["error"].as_str().unwrap_or_default();
    ensure!(told.contains("has gone back from it already"), "{gone}");
    fs::remove_file(&back)?;
    // The program would go back by itself; whoever comes before that goes on, or takes it back.
    fs::write(&kill, "")?;
    let (lines, code) = machine.run(&["install", "1.1.0"])?;
    ensure!(lines.is_empty() && code.is_none(), "{code:?} {lines:?}");
    program.ask("c", "c by two, 3 10")?;
    fs::remove_file(&kill)?;
    let pid = program.tool_pid().to_string();
    let list = hotswap_verb(
        &machine.package,
        &["patch", "list", "--pid", &pid, "--message-format=json"],
    )?
    .output()?;
    let list: Value = serde_json::from_slice(&list.stdout)?;
    ensure!(list["applied"][0]["expires_ms"].is_u64(), "{list}");
    machine.expect(&["rollback"], (0, true))?;
    program.ask("d", "d by one, 4")
}

/// A crash before and after a release is permanent.
fn until_it_is_permanent_a_crash_goes_back(machine: &Machine, mut program: Session) -> Result<()> {
    machine.expect(&["install", "1.1.0"], (0, true))?;
    machine.expect(&["install", "1.1.0"], (0, false))?;
    program.ask("e", "e by two, 5 10")?;
    ensure!(
        machine.states()? == "permanent current!",
        "{}",
        machine.states()?
    );
    what_is_in_use_stays(machine, &program)?;
    // It ends the program.
    drop(program);
    let mut program = machine.start()?;
    program.ask("f", "f by one, 1")?;
    machine.expect(&["install", "1.1.0"], (0, true))?;
    machine.expect(&["permanent", "1.1.0"], (0, true))?;
    program.ask("g", "g by two, 2 10")?;
    drop(program);
    let mut program = machine.start()?;
    program.ask("h", "h by two, 1 10")?;
    ensure!(
        machine.states()? == "old permanent!",
        "{}",
        machine.states()?
    );
    drop(program);
    // An image of a container starts what it has.
    let image = machine.root.join("released/releases/1.0.0/released");
    let mut contained = Command::new(image);
    contained.env("HOTSWAP_RELEASES", &machine.root);
    let mut program = Session::spawn(contained)?;
    program.ask("i", "i by two, 1 10")?;
    // It was started from it.
    let (lines, code) = machine.run(&["rollback", "1.1.0"])?;
    ensure!(code == Some(15) && lines.len() == 2, "{lines:?}");
    ensure!(lines[0]["permanent"] == "1.0.0", "{lines:?}");
    Ok(())
}

/// A release that is installed is not removed, whatever is said of the program, and whether it answers or not.
fn what_is_in_use_stays(machine: &Machine, program: &Session) -> Result<()> {
    let signal = |word: &str| -> Result<()> {
        let mut kill = Command::new("kill");
        let status = kill
            .args([word, &program.tool_pid().to_string()])
            .status()?;
        ensure!(status.success(), "kill {word}: {status}");
        Ok(())
    };
    machine.expect(&["remove", "1.1.0", "--pid", "1"], (16, false))?;
    signal("-STOP")?;
    let refused = machine.expect(&["remove", "1.1.0"], (16, false));
    signal("-CONT")?;
    let refused = refused?;
    ensure!(
        refused["error"]
            .as_str()
            .is_some_and(|error| error.contains("does not answer")),
        "{refused}"
    );
    // What was damaged has no way back until it is mended.
    let patch = machine.root.join("released/releases/1.1.0/way-1.hotpatch");
    fs::write(&patch, "half")?;
    machine.expect(&["rollback", "1.1.0"], (10, false))?;
    machine.unpack("1.1.0", (0, true))?;
    Ok(())
}

/// Back in the program that runs, and away with what is not in use.
fn back_again(machine: &Machine) -> Result<()> {
    let mut program = machine.start()?;
    program.ask("j", "j by one, 1")?;
    several_go_together(machine)?;
    machine.expect(&["install", "1.1.0"], (0, true))?;
    machine.expect(&["permanent", "1.1.0"], (0, true))?;
    program.ask("k", "k by two, 2 10")?;
    machine.expect(&["rollback", "1.1.0"], (0, true))?;
    machine.expect(&["rollback", "1.1.0"], (0, false))?;
    program.ask("l", "l by one, 3")?;
    ensure!(
        machine.states()? == "permanent! unpacked",
        "{}",
        machine.states()?
    );
    machine.expect(&["remove", "1.0.0"], (16, false))?;
    machine.expect(&["permanent", "1.1.0", "--on-restart"], (0, true))?;
    machine.expect(&["remove", "1.0.0"], (16, false))?;
    program.ask("m", "m by one, 4")?;
    drop(program);
    machine.expect(&["remove", "1.0.0"], (0, true))?;
    machine.expect(&["remove", "1.0.0"], (13, false))?;
    let log = fs::read_to_string(machine.root.join("released/audit.log"))?;
    let acts: Vec<Value> = log
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    // Of the two that went together, one has a line for each way.
    let installed = acts
        .iter()
        .filter(|act| act["act"] == "install" && act["changed"] == true);
    ensure!(installed.count() == 8, "{log}");
    Ok(())
}

/// Of two programs the last one fails.
fn several_go_together(machine: &Machine) -> Result<()> {
    let mut second = machine.start()?;
    second.ask("x", "x by one, 1")?;
    let (lines, _) = machine.run(&["list"])?;
    let pids = lines[0]["running"].as_array().context("no list")?;
    ensure!(pids.len() == 2, "{lines:?}");
    machine.expect(&["install", "1.1.0"], (13, false))?;
    let fail = machine.package.root.join("fail");
    fs::write(&fail, pids[1].to_string())?;
    let (lines, code) = machine.run(&["install", "1.1.0", "--all"])?;
    let came = |lines: &[Value]| -> Vec<(Option<i64>, bool)> {
        let lines = lines.iter();
        let came = lines.map(|line| (line["code"].as_i64(), line["changed"] == true));
        came.collect()
    };
    let expected = [(Some(0), true), (Some(12), false), (Some(0), true)];
    ensure!(code == Some(12) && came(&lines) == expected, "{lines:?}");
    ensure!(
        lines[0]["pid"] == lines[2]["pid"] && lines[0]["pid"] != lines[1]["pid"],
        "{lines:?}"
    );
    fs::remove_file(&fail)?;
    second.ask("y", "y by one, 2")?;

    let (lines, code) = machine.run(&["install", "1.1.0", "--all"])?;
    ensure!(code == Some(0) && lines.len() == 2, "{lines:?}");
    let stay = machine.package.root.join("stay");
    fs::write(&stay, pids[1].to_string())?;
    let (lines, code) = machine.run(&["rollback"])?;
    ensure!(code == Some(12) && came(&lines) == expected, "{lines:?}");
    second.ask("z", "z by two, 3 10")?;
    fs::remove_file(&stay)?;
    let (lines, code) = machine.run(&["rollback"])?;
    ensure!(code == Some(0) && lines.len() == 2, "{lines:?}");
    second.ask("z", "z by one, 4")?;
    what_was_given_up_needs_a_restart(machine, second)
}

/// A purge gives up the way back of a program, and the next start goes back nevertheless.
fn what_was_given_up_needs_a_restart(machine: &Machine, program: Session) -> Result<()> {
    let pid = program.tool_pid().to_string();
    machine.expect(&["install", "1.1.0", "--pid", &pid], (0, true))?;
    machine.expect(&["permanent", "1.1.0", "--on-restart"], (0, true))?;
    hotswap_verb(&machine.package, &["purge", "--pid", &pid])?.output()?;
    let (lines, code) = machine.run(&["rollback", "1.1.0"])?;
    ensure!(code == Some(15) && lines.len() == 2, "{lines:?}");
    ensure!(lines[0]["permanent"] == "1.0.0", "{lines:?}");
    Ok(())
}

/// An edit that can't go live: what the cell holds has another type.
fn what_is_refused_needs_a_restart(machine: &Machine) -> Result<()> {
    let mut program = machine.start()?;
    program.ask("n", "n by two, 1 10")?;
    machine
        .package
        .edit("src/main.rs", "    rounds: u32,\n", "    rounds: u16,\n")?;
    let third = machine.make("1.2.0", &["--from", &file("1.1.0")])?;
    let why = third["release"]["ways"][0]["restart"][0]
        .as_str()
        .unwrap_or_default();
    ensure!(
        why.contains("World")
            && third["plans"][0]
                .as_str()
                .is_some_and(|plan| plan.contains("restart")),
        "{third}"
    );
    machine.unpack("1.2.0", (0, true))?;
    let refused = machine.expect(&["install", "1.2.0"], (15, false))?;
    ensure!(
        refused["error"]
            .as_str()
            .is_some_and(|error| error.contains(why)),
        "{refused}"
    );
    machine.expect(&["permanent", "1.2.0"], (11, false))?;
    machine.expect(&["permanent", "1.2.0", "--on-restart"], (0, true))?;
    program.ask("o", "o by two, 2 20")?;
    drop(program);
    machine.start()?.ask("p", "p by two, 1 10")
}
