//! What it costs that a program can be patched, as `cargo hotswap build --compare` tells it.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, hotswap_verb};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{text, tool};

/// A server as far as this is concerned: it works, tells that it has, and stays.
const SOURCE: &str = r#"
fn main() {
    let times: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let sum = (0..times).fold(0, |sum, _| work(sum));
    println!("{sum}");
    loop {
        std::thread::park();
    }
}

#[hotswap::entry]
fn work(seed: u64) -> u64 {
    (0..2_000_000).fold(seed, |sum, value| sum.rotate_left(7) ^ value)
}
"#;

/// The patchable build is given ten times as much to do, so that the ratio says so on any machine.
const LOAD: &str = r#"
test -z "$HOTSWAP_LISTEN$HOTSWAP_RELEASES" || exit 1
case $HOTSWAP_PROGRAM in */own/*) times=1;; *) times=10;; esac
"$HOTSWAP_PROGRAM" $times >told &
read -r sum <told
"#;

/// Tells who was left running, and fails.
const FAILING: &str = r#"
"$HOTSWAP_PROGRAM" 1 >told &
echo $! >left
read -r sum <told
echo 'no luck' >&2
exit 3
"#;

/// Never ends. What `sh` starts in the background is deaf to Ctrl-C.
const ENDLESS: &str = "sleep 1000 & echo $! >told; wait";

#[test]
fn a_patchable_build_is_compared_with_a_plain_one() -> Result<()> {
    let mut package = Package::of_source("compared", SOURCE)?;
    // What is meant for programs that run for good is not meant here.
    for (name, value) in [("HOTSWAP_LISTEN", "1"), ("HOTSWAP_RELEASES", "/none")] {
        package.env.push((name.to_owned(), value.to_owned()));
    }
    package.plant_below_shared_target("hotswap/compare")?;
    let told = package.root.join("told");
    let made = Command::new("mkfifo").arg(&told).status()?;
    ensure!(made.success(), "mkfifo: {made}");

    let build = ["build", "--compare=own", "--compare-rounds=2"];
    let with = |command| [&build[..], &["--compare-run", command]].concat();
    let (line, code) = tool(&package, &with(LOAD))?;
    ensure!(code == 0, "{line}");
    is_compared(&line)?;

    let words = [&with(FAILING)[..], &["--message-format=json"]].concat();
    let output = hotswap_verb(&package, &words)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(101), "{said}");
    for part in [
        "your profile `dev`",
        "compare/own/compared",
        "exit status: 3",
        "| no luck",
    ] {
        ensure!(said.contains(part), "{part:?} is missing:\n{said}");
    }
    let left = fs::read_to_string(package.root.join("left"))?;
    ensure!(is_gone(&left), "{left} is left");
    // What was built is told of all the same.
    let line: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(line.get("comparison").is_none(), "{line}");
    let base = line["base"].as_str().context("no base")?;
    ensure!(Path::new(base).exists(), "{line}");

    let output =
        hotswap_verb(&package, &with("cat /dev/zero | head -c 99999999 | wc -c"))?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(101) && said.contains("did not run your profile `dev`"),
        "{said}"
    );

    let mut tool = hotswap_verb(&package, &with(ENDLESS))?;
    let mut tool = tool.stderr(Stdio::piped()).spawn()?;
    let said = BufReader::new(tool.stderr.take().context("it is piped")?);
    let measures = |line: io::Result<String>| line.is_ok_and(|line| line.contains("Measuring"));
    ensure!(said.lines().any(measures), "nothing is measured");
    let left = fs::read_to_string(&told)?;
    kill_process(Pid::from_child(&tool), Signal::TERM)?;
    ensure!(tool.wait()?.signal() == Some(Signal::TERM.as_raw()));
    ensure!(is_gone(&left), "{left} is left");
    Ok(())
}

/// Whether the figures are those of two builds, of which one does ten times as much.
fn is_compared(line: &Value) -> Result<()> {
    let comparison = &line["comparison"];
    ensure!(comparison["run"]["of"] == "program", "{comparison}");
    let builds = comparison["builds"].as_array().context("no builds")?;
    let [own, patchable] = &builds[..] else {
        anyhow::bail!("other builds: {comparison}");
    };
    let path = |build: &Value| build["executable"].as_str().map(PathBuf::from);
    let own_path = path(own).context("no path")?;
    ensure!(text(&own_path)?.ends_with("/hotswap/compare/own/compared"));
    for name in ["executable", "file_bytes", "loaded_bytes"] {
        ensure!(patchable[name] == line[name], "{name}: {line}");
    }
    let number = |build: &Value, at: &str| build.pointer(at).and_then(Value::as_f64);
    for (size, ratio) in [
        ("/file_bytes", "/file_ratio"),
        ("/loaded_bytes", "/loaded_ratio"),
    ] {
        let size = |build| number(build, size).context("no size");
        let ratio = number(patchable, ratio).context("no ratio")?;
        ensure!(
            (ratio - size(patchable)? / size(own)?).abs() < 1e-9,
            "{ratio}"
        );
    }
    let cpu = |name: &str| number(patchable, &format!("/cpu/{name}")).context("no figure");
    let (from, ratio, to) = (cpu("from")?, cpu("ratio")?, cpu("to")?);
    ensure!(from <= ratio && ratio <= to, "{comparison}");
    ensure!(ratio > 2.0, "{comparison}");
    Ok(())
}

fn is_gone(pid: &str) -> bool {
    !Path::new("/proc").join(pid.trim()).exists()
}
