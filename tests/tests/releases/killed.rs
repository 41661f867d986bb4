//! The tool or the program is killed at each of its calls of the system that change something: afterwards all is as before or
//! as after it.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Result, bail, ensure};
use hotswap_tests::{Session, hotswap_verb, killed};

use super::Machine;

/// The first release is permanent, and the second one unpacked, as at the end.
pub(super) fn at_each_call(machine: &Machine) -> Result<()> {
    if !killed::is_possible() {
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
    let install = verb(machine, &["install", "1.1.0"])?;
    let places = killed::places(&install, &machine.package.root.join("calls"))?;
    machine.expect(&["rollback"], (0, true))?;
    let mut seen = [0; 2];
    for place in places {
        let is_over = !place.kills(&install)?;
        let is_installed = is_second(program)?;
        seen[usize::from(is_installed)] += 1;
        ensure!(!is_over || is_installed, "{place:?}: nothing is installed");
        if is_installed {
            machine.expect(&["rollback"], (0, true))?;
            ensure!(!is_second(program)?, "{place:?}: no way back");
        }
    }
    println!("before and after: {seen:?}");
    ensure!(seen[0] > 2 && seen[1] > 1, "before and after: {seen:?}");
    Ok(())
}

fn at_each_call_of_permanent(machine: &Machine, program: &mut Session) -> Result<()> {
    machine.expect(&["install", "1.1.0"], (0, true))?;
    let permanent = verb(machine, &["permanent", "1.1.0"])?;
    let places = killed::places(&permanent, &machine.package.root.join("calls"))?;
    machine.expect(&["rollback", "1.1.0"], (0, true))?;
    let mut seen = [0; 2];
    for place in places {
        machine.expect(&["install", "1.1.0"], (0, true))?;
        let is_over = !place.kills(&permanent)?;
        let is_permanent = match machine.states()?.as_str() {
            "permanent current!" => false,
            "old permanent!" => true,
            other => bail!("{place:?}: {other}"),
        };
        seen[usize::from(is_permanent)] += 1;
        ensure!(!is_over || is_permanent, "{place:?}: nothing is permanent");
        machine.expect(&["permanent", "1.1.0"], (0, !is_permanent))?;
        machine.expect(&["rollback", "1.1.0"], (0, true))?;
        ensure!(!is_second(program)?, "{place:?}: no way back");
    }
    println!("before and after: {seen:?}");
    ensure!(seen[0] > 2 && seen[1] > 1, "before and after: {seen:?}");
    Ok(())
}

/// Whatever it was about to do, the next one begins with the release that is permanent.
fn at_each_call_of_the_program(machine: &Machine) -> Result<()> {
    let program = machine.start()?;
    let calls = machine.package.root.join("calls");
    let places = killed::places_in(program.tool_pid(), &calls, || {
        machine.expect(&["install", "1.1.0"], (0, true))?;
        drop(program);
        Ok(())
    })?;
    let Some(places) = places else {
        return Ok(());
    };
    let mut deaths = 0;
    for place in places {
        let mut program = machine.start()?;
        ensure!(!is_second(&mut program)?, "before {place:?}");
        let _tracer = place.attach(program.tool_pid())?;
        let (_, code) = machine.run(&["install", "1.1.0"])?;
        let lives = program.send("a").is_ok() && program.line().is_ok();
        ensure!(
            code == Some(0) || !lives,
            "{place:?}: it lives, and {code:?}"
        );
        deaths += usize::from(!lives);
    }
    println!("the program was killed {deaths} times");
    ensure!(deaths > 10, "it was killed {deaths} times");
    let mut program = machine.start()?;
    ensure!(!is_second(&mut program)?, "it is permanent");
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

fn verb(machine: &Machine, words: &[&str]) -> Result<Command> {
    let mut verb = hotswap_verb(&machine.package, &[&["release"], words].concat())?;
    verb.env("HOTSWAP_RELEASES", &machine.root);
    Ok(verb)
}
