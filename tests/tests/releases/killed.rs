//! The tool or the program is killed at each of its calls of the system that change something: afterwards all is as before or
//! as after it.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use hotswap_tests::{Session, hotswap_verb, inside, not_tested};

use super::Machine;

/// What changes anything outside the tool.
const CALLS: &str = "connect,sendto,sendmsg,write,writev,fsync,fdatasync,ftruncate,mkdir,rename,renameat,renameat2,link,\
                     linkat,symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmod";

/// What the program does besides, to load a patch.
const OF_LOADING: &str = "memfd_create,openat,mprotect";

/// The first release is permanent, and the second one unpacked, as at the end.
pub(super) fn at_each_call(machine: &Machine) -> Result<()> {
    if !has_strace() {
        return Ok(());
    }
    let mut program = machine.start()?;
    at_each_call_of_install(machine, &mut program)?;
    at_each_call_of_permanent(machine, &mut program)?;
    drop(program);
    at_each_call_of_the_program(machine)?;
    // Other tests look at what is told there, and at what the undone step leaves of ways that a program did not survive.
    fs::remove_file(machine.root.join("released/audit.log"))?;
    match fs::remove_file(machine.package.root.join("undone")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn at_each_call_of_install(machine: &Machine, program: &mut Session) -> Result<()> {
    let mut seen = [0; 2];
    for call in 1.. {
        let is_over = !dies(machine, call, &["install", "1.1.0"])?;
        let is_installed = is_second(program)?;
        seen[usize::from(is_installed)] += 1;
        ensure!(
            !is_over || is_installed,
            "it ended, and nothing is installed"
        );
        if is_installed {
            machine.expect(&["rollback"], (0, true))?;
            ensure!(!is_second(program)?, "killed at call {call}: no way back");
        }
        if is_over {
            break;
        }
    }
    ensure!(seen[0] > 0 && seen[1] > 1, "before and after: {seen:?}");
    Ok(())
}

fn at_each_call_of_permanent(machine: &Machine, program: &mut Session) -> Result<()> {
    let mut seen = [0; 2];
    for call in 1.. {
        machine.expect(&["install", "1.1.0"], (0, true))?;
        let is_over = !dies(machine, call, &["permanent", "1.1.0"])?;
        let is_permanent = match machine.states()?.as_str() {
            "permanent current!" => false,
            "old permanent!" => true,
            other => bail!("killed at call {call}: {other}"),
        };
        seen[usize::from(is_permanent)] += 1;
        ensure!(
            !is_over || is_permanent,
            "it ended, and nothing is permanent"
        );
        machine.expect(&["permanent", "1.1.0"], (0, !is_permanent))?;
        machine.expect(&["rollback", "1.1.0"], (0, true))?;
        ensure!(!is_second(program)?, "killed at call {call}: no way back");
        if is_over {
            break;
        }
    }
    ensure!(seen[0] > 0 && seen[1] > 1, "before and after: {seen:?}");
    Ok(())
}

/// Whatever it was about to do, the next one begins with the release that is permanent.
fn at_each_call_of_the_program(machine: &Machine) -> Result<()> {
    for call in 1.. {
        let mut program = machine.start()?;
        ensure!(!is_second(&mut program)?, "killed at call {}", call - 1);
        let mut tracer = killed_at(call, &format!("{CALLS},{OF_LOADING}"));
        tracer.args(["--attach", &program.tool_pid().to_string()]);
        let mut tracer = tracer.stderr(Stdio::piped()).spawn()?;
        let said = tracer.stderr.take().context("it is piped")?;
        // It stays open as long as there may be more to say.
        let mut said = BufReader::new(said).lines();
        let first = said.next().transpose()?;
        if !first.is_some_and(|line| line.contains("attached")) {
            tracer.wait()?;
            not_tested("this system does not let its users trace");
            return Ok(());
        }
        let (_, code) = machine.run(&["install", "1.1.0"])?;
        let lives = program.send("a").is_ok() && program.line().is_ok();
        let is_over = code == Some(0) && lives;
        ensure!(
            is_over || !lives,
            "killed at call {call}: it lives, and {code:?}"
        );
        drop(program);
        tracer.wait()?;
        if is_over {
            println!("the program was killed {} times", call - 1);
            ensure!(call > 5, "it was killed {} times", call - 1);
            return Ok(());
        }
    }
    Ok(())
}

/// Whether something can be killed at a call; else it is told that this is not tested.
pub(super) fn has_strace() -> bool {
    let strace = Command::new("strace").arg("-V").output();
    let has = strace.is_ok_and(|output| output.status.success());
    if !has {
        not_tested("strace is not installed");
    }
    has
}

/// Whether the second release answers, else the first one.
fn is_second(program: &mut Session) -> Result<bool> {
    program.send("k")?;
    let line = program.line()?;
    let (is_first, is_second) = (line.starts_with("k by one,"), line.starts_with("k by two,"));
    ensure!(is_first != is_second, "{line}");
    Ok(is_second)
}

/// Runs a verb that is killed at that call. False if it has not so many, and does what it shall.
fn dies(machine: &Machine, call: usize, words: &[&str]) -> Result<bool> {
    let verb = hotswap_verb(&machine.package, &[&["release"], words].concat())?;
    let mut command = inside(killed_at(call, CALLS), &verb);
    command.env("HOTSWAP_RELEASES", &machine.root);
    let output = command.output()?;
    if output.status.success() {
        return Ok(false);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    // It ends as what it traces did.
    ensure!(output.status.signal() == Some(9), "{words:?}: {stderr}");
    Ok(true)
}

/// Runs a command that is killed at that one of these calls.
fn killed_at(call: usize, calls: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--output=/dev/null", "--inject"]);
    command.arg(format!("{calls}:signal=KILL:when={call}"));
    command
}
