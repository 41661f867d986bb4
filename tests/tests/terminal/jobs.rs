//! Keys that are signals, the shell's job control, and the terminal's end.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{
    Gate, Package, Terminal, surround,
    terminal::{END, INTERRUPT, SUSPEND},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::program::{on_terminal, package, run, run_folders};

/// How long anything may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(600);

/// Asks the program until this is its answer: signals arrive when they arrive.
fn settle(terminal: &mut Terminal, question: &str, answer: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        terminal.type_line(question)?;
        // The terminal shows the question first.
        terminal.expect(&format!("{question}\n"))?;
        let found = terminal.expect("\n")?;
        if found == answer {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{question}: {found}, not {answer}"
        );
    }
}

#[test]
fn an_interrupt_reaches_the_program_once() -> Result<()> {
    let package = package("interrupt")?;
    let mut terminal = on_terminal(&package, &[])?;
    for signal in [2, 28] {
        terminal.type_line(&format!("handle {signal}"))?;
        terminal.expect(&format!("first: handle {signal} 7\n"))?;
    }
    for times in 1..=3 {
        terminal.type_keys(INTERRUPT)?;
        settle(&mut terminal, "count 2", &format!("{times} times"))?;
    }
    terminal.resize(80, 24)?;
    settle(&mut terminal, "count 28", "1 times")?;
    // It still takes edits.
    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    terminal.expect("Swapped src/main.rs")?;
    terminal.type_line("count 2")?;
    terminal.expect("3 times")?;
    // A compiler is not hit by a key that the program handles.
    let gate = Gate::close(&package.root.join("src/gate.txt"))?;
    package.edit("src/main.rs", "\"second\"", "include_str!(\"gate.txt\")")?;
    let held = gate.await_reader()?;
    terminal.type_keys(INTERRUPT)?;
    settle(&mut terminal, "count 2", "4 times")?;
    held.open("third")?;
    terminal.expect("Swapped src/main.rs")?;
    // Sent to the tool alone, it is meant for the program.
    kill(terminal.pid(), "INT")?;
    settle(&mut terminal, "count 2", "5 times")?;
    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    Ok(())
}

#[test]
fn an_interrupt_ends_both() -> Result<()> {
    let package = package("interrupt-ends")?;
    let mut terminal = on_terminal(&package, &[])?;
    let pid = terminal.pid();
    terminal.type_keys(INTERRUPT)?;
    ensure!(terminal.end()? == -2, "{}", terminal.written());
    ensure!(run_folders(&package, pid)?.is_empty());
    ensure!(running(&package)?.is_none());
    Ok(())
}

/// What a compiler writes has no place to go to any more.
#[test]
fn the_end_does_not_wait_for_a_compiler() -> Result<()> {
    let package = package("compiler-ended")?;
    let mut terminal = on_terminal(&package, &[])?;
    let pid = terminal.pid();
    let gate = Gate::close(&package.root.join("src/gate.txt"))?;
    package.edit("src/main.rs", "\"first\"", "include_str!(\"gate.txt\")")?;
    let held = gate.await_reader()?;
    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    ensure!(run_folders(&package, pid)?.is_empty());
    ensure!(held.readers()?.is_empty(), "the compiler is left");
    Ok(())
}

#[test]
fn a_shell_stops_and_continues_both() -> Result<()> {
    let package = package("jobs")?;
    let tool = run(&package, &[])?;
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noediting", "-i"])
        .env("PS1", "ready> ");
    surround(&mut shell, &tool);
    let mut terminal = Terminal::start(&shell, 100, 30)?;
    terminal.expect("ready> ")?;
    let program = tool.get_program().to_string_lossy();
    terminal.type_line(&format!("'{program}' hotswap run"))?;
    terminal.expect("Watching for edits")?;
    terminal.type_line("x")?;
    terminal.expect("first: x 7\n")?;

    terminal.type_keys(SUSPEND)?;
    stopped_and_continued(&mut terminal)?;
    terminal.type_line("y")?;
    terminal.expect("first: y 7\n")?;

    // The program stops itself, as one that draws on the terminal does when it gets the key.
    terminal.type_line("raise 19")?;
    stopped_and_continued(&mut terminal)?;
    terminal.expect("first: raise 19 7\n")?;
    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    terminal.expect("Swapped src/main.rs")?;
    terminal.type_line("z")?;
    terminal.expect("second: z 7\n")?;

    // The shell says how the program ended, as if there were no tool.
    terminal.type_line("raise 15")?;
    terminal.expect("Terminated")?;
    terminal.expect("ready> ")?;
    terminal.type_line("echo ended with $?.")?;
    terminal.expect("\nended with 143.")?;
    // A shell whose terminal is closed takes its jobs along.
    terminal.type_line(&format!("'{program}' hotswap run"))?;
    terminal.expect("Watching for edits")?;
    let program = running(&package)?.context("the program runs")?;
    let program = pidfd_open(program, PidfdFlags::empty())?;
    terminal.close();
    terminal.end()?;
    let deadline = Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    let ended = poll(&mut [PollFd::new(&program, PollFlags::IN)], Some(&deadline))?;
    ensure!(ended > 0, "the program is left");
    Ok(())
}

fn stopped_and_continued(terminal: &mut Terminal) -> Result<()> {
    terminal.expect("Stopped")?;
    terminal.expect("ready> ")?;
    terminal.type_line("fg")?;
    terminal.expect("hotswap run\n")?;
    Ok(())
}

#[test]
fn a_closed_terminal_ends_both() -> Result<()> {
    let package = package("closed")?;
    // The second one does not end by the signal, nor does it see that its input has ended; nobody could
    // reach it any more.
    for heedless in [false, true] {
        let mut terminal = on_terminal(&package, &[])?;
        if heedless {
            terminal.type_line("handle 1")?;
            terminal.expect("first: handle 1 7\n")?;
            terminal.type_line("stay")?;
            terminal.expect("staying\n")?;
        }
        let pid = terminal.pid();
        terminal.close();
        let ended_by = if heedless { -15 } else { -1 };
        ensure!(terminal.end()? == ended_by);
        ensure!(run_folders(&package, pid)?.is_empty());
        ensure!(running(&package)?.is_none());
    }
    Ok(())
}

#[test]
fn a_closed_pipe_is_no_end() -> Result<()> {
    use std::io::{BufRead, BufReader, Write};
    let package = package("closed-pipe")?;
    let mut child = run(&package, &[])?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        anyhow::bail!("all are piped");
    };
    let mut stderr = BufReader::new(stderr).lines();
    let ready = stderr.any(|line| line.is_ok_and(|line| line.contains("Watching")));
    ensure!(ready, "the program is not ready");
    drop(stderr);
    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    let mut answers = BufReader::new(stdout).lines();
    let deadline = Instant::now() + DEADLINE;
    loop {
        stdin.write_all(b"x\n")?;
        let answer = answers.next().transpose()?;
        ensure!(answer.is_some(), "the program ended");
        ensure!(Instant::now() < deadline, "the edit is not live");
        if answer.is_some_and(|answer| answer.starts_with("second: x 7")) {
            break;
        }
    }
    drop(stdin);
    ensure!(child.wait()?.success());
    Ok(())
}

fn kill(pid: u32, signal: &str) -> Result<()> {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid.to_string())
        .status()?;
    ensure!(status.success());
    Ok(())
}

/// The process of the package's program.
fn running(package: &Package) -> Result<Option<Pid>> {
    let target = package.shared_target()?.unwrap_or_default();
    let name = package.root.file_name().unwrap_or_default();
    let executable = target.join("debug").join(name);
    let mut processes = std::fs::read_dir("/proc")?
        .flatten()
        .map(|entry| entry.path());
    let runs = |process: &PathBuf| {
        std::fs::read_link(process.join("exe")).is_ok_and(|link| link == executable)
    };
    let process = processes.find(runs);
    let number = process.and_then(|process| process.file_name()?.to_str()?.parse().ok());
    Ok(number.and_then(Pid::from_raw))
}
