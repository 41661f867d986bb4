//! The tool is killed at each of its calls of the system that change something: afterwards all is as before or as after it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use anyhow::{Result, bail, ensure};
use hotswap_tests::{Session, hotswap_verb, inside, not_tested};

use super::Machine;

/// What changes anything outside the tool.
const CALLS: &str = "connect,sendto,sendmsg,write,writev,fsync,fdatasync,ftruncate,mkdir,rename,renameat,renameat2,link,\
                     linkat,symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmod";

/// The first release is permanent, and the second one unpacked, as at the end.
pub(super) fn at_each_call(machine: &Machine) -> Result<()> {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        not_tested("strace is not installed");
        return Ok(());
    }
    let mut program = machine.start()?;
    at_each_call_of_install(machine, &mut program)?;
    at_each_call_of_permanent(machine, &mut program)?;
    // Other tests count what is told there.
    fs::remove_file(machine.root.join("released/audit.log"))?;
    Ok(())
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
    let mut outer = Command::new("strace");
    outer.args(["--follow-forks", "--output=/dev/null", "--inject"]);
    outer.arg(format!("{CALLS}:signal=KILL:when={call}"));
    let mut command = inside(outer, &verb);
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
