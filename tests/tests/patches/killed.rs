//! The tool or the program is killed at each of its calls of the system that change something, on the way to a patch and
//! back: afterwards the program runs exactly the old code or exactly the new.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session, Wire, hotswap_verb, killed};
use serde_json::Value;

use super::{text, tool};

/// A program, a patch for it, and the folder in which all that they leave has to be.
struct Machine<'a> {
    package: &'a Package,
    executable: &'a str,
    patch: &'a str,
    folder: PathBuf,
}

/// The patch has the program tell what comes "after".
pub(super) fn at_each_call(package: &mut Package, executable: &str, patch: &str) -> Result<()> {
    if !killed::is_possible() {
        return Ok(());
    }
    let folder = package.root.join("left");
    fs::create_dir_all(&folder)?;
    let variable = ("TMPDIR".to_owned(), text(&folder)?.to_owned());
    package.env.push(variable);
    let machine = Machine {
        package,
        executable,
        patch,
        folder,
    };
    let mut program = machine.start()?;
    machine.at_each_call_of_the_tool(&mut program, "apply")?;
    machine.at_each_call_of_the_tool(&mut program, "revert")?;
    drop(program);
    machine.at_each_call_of_the_program("apply")?;
    machine.at_each_call_of_the_program("revert")?;
    machine.audit_is_whole()
}

impl Machine<'_> {
    fn at_each_call_of_the_tool(&self, program: &mut Session, verb: &str) -> Result<()> {
        let (was_new, back) = match verb {
            "apply" => (false, "revert"),
            _ => (true, "apply"),
        };
        let pid = program.tool_pid().to_string();
        let words = ["patch", verb, self.patch, "--pid", &pid];
        let command = hotswap_verb(self.package, &words)?;
        if self.is_new(program)? != was_new {
            self.changes(program, back, true)?;
        }
        let places = killed::places(&command, &self.package.root.join("calls"))?;
        let mut seen = [0; 2];
        for place in places {
            self.changes(program, back, true)?;
            let is_over = !place.kills(&command)?;
            let is_done = self.is_new(program)? != was_new;
            seen[usize::from(is_done)] += 1;
            ensure!(!is_over || is_done, "{verb}, {place:?}: nothing is done");
            self.changes(program, verb, !is_done)?;
            ensure!(self.is_new(program)? != was_new, "{verb}, {place:?}: again");
        }
        ensure!(seen[0] > 2 && seen[1] > 0, "before and after: {seen:?}");
        Ok(())
    }

    /// Whatever it was about to do, the next one begins with the old code, and takes the patch.
    fn at_each_call_of_the_program(&self, verb: &str) -> Result<()> {
        let program = self.before(verb)?;
        let calls = self.package.root.join("calls");
        let places = killed::places_in(program.tool_pid(), &calls, || {
            self.changes(&program, verb, true)?;
            drop(program);
            Ok(())
        })?;
        let Some(places) = places else {
            return Ok(());
        };
        let mut killed = Vec::new();
        for place in places {
            let mut program = self.before(verb)?;
            let _tracer = place.attach(program.tool_pid())?;
            let (line, code) = self.does(&program, verb)?;
            let lives = program.send("1").is_ok() && program.line().is_ok();
            ensure!(code == 0 || !lives, "{verb}, {place:?}: {line}");
            killed.extend((!lives).then_some(program.tool_pid()));
        }
        ensure!(killed.len() > 5, "{verb}: only {killed:?} were killed");
        drop(self.before("revert")?);
        killed.retain(|pid| Wire::socket(*pid).is_some());
        ensure!(killed.is_empty(), "{verb}: {killed:?} have sockets");
        Ok(())
    }

    /// Every line of the log, of which each program has read what those before it left.
    fn audit_is_whole(&self) -> Result<()> {
        let log = fs::read_to_string(self.folder.join("audit"))?;
        let acts = log.lines().map(serde_json::from_str::<Value>);
        let acts = acts.collect::<Result<Vec<_>, _>>()?;
        let begun = acts.iter().filter(|act| act["result"] == "begun").count();
        let done = acts.iter().filter(|act| act["result"] == "done").count();
        ensure!(0 < done && done <= begun, "{done} of {begun}: {log}");
        Ok(())
    }

    /// A new program, before something is done with a patch in it.
    fn before(&self, verb: &str) -> Result<Session> {
        let mut program = self.start()?;
        ensure!(!self.is_new(&mut program)?, "it begins with a patch");
        if verb == "revert" {
            self.changes(&program, "apply", true)?;
            ensure!(self.is_new(&mut program)?, "it does not take it");
        }
        Ok(program)
    }

    fn start(&self) -> Result<Session> {
        let mut command = Command::new(self.executable);
        command.env("HOTSWAP_LISTEN", "1");
        command.env("HOTSWAP_AUDIT", self.folder.join("audit"));
        command.env("TMPDIR", &self.folder);
        Session::spawn(command)
    }

    /// What the tool says of it, and its exit code.
    fn does(&self, program: &Session, verb: &str) -> Result<(Value, i32)> {
        let pid = program.tool_pid().to_string();
        let patch = (verb != "list").then_some(self.patch);
        let words = ["patch", verb, "--pid", &pid].into_iter().chain(patch);
        tool(self.package, &words.collect::<Vec<_>>())
    }

    /// Does something with the patch, which changes the code that runs or not.
    fn changes(&self, program: &Session, verb: &str, expected: bool) -> Result<Value> {
        let (line, code) = self.does(program, verb)?;
        ensure!(code == 0 && line["changed"] == expected, "{verb}: {line}");
        Ok(line)
    }

    /// Whether the new code answers, and what the program tells of patches is the same. Nothing else is there.
    fn is_new(&self, program: &mut Session) -> Result<bool> {
        program.send("1")?;
        let is_new = program.line()?.contains(" after ");
        let list = self.changes(program, "list", false)?;
        let applied = list["applied"].as_array().map(Vec::len);
        ensure!(applied == Some(usize::from(is_new)), "{is_new}: {list}");
        for file in fs::read_dir(&self.folder)? {
            ensure!(file?.file_name() == "audit", "{:?} has more", self.folder);
        }
        Ok(is_new)
    }
}
