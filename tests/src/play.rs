//! Carries out a scenario's directives.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::{
    compile::{cargo, check},
    event::Event,
    hotswap_verb,
    package::{Package, TargetFolder},
    paths,
    script::{Profile, Script, Step},
    session::Session,
};

/// What runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The tool.
    Hot,
    /// Plain cargo: the first version must give the same answers, up to the first save.
    Plain,
}

/// Reads a scenario's directives.
///
/// # Errors
///
/// When there are none, or one cannot be read.
pub fn script(name: &str) -> Result<Script> {
    let path = paths::scenarios().join(name).join("scenario.txt");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    Script::parse(&text).with_context(|| format!("{}", path.display()))
}

/// Plays a scenario.
///
/// # Errors
///
/// Names the line whose expectation was not met, with all that was said until then.
pub fn play(name: &str, profile: Profile, mode: Mode) -> Result<()> {
    let mut script = script(name)?;
    if mode == Mode::Plain {
        script.target = TargetFolder::Shared;
    }
    let package = Package::of_scenario(name, &script, profile)?;
    let mut player = Player {
        package,
        session: None,
        arguments: Vec::new(),
        last: None,
        mode,
    };
    for (line, step) in &script.steps {
        if mode == Mode::Plain && !under_plain(step) {
            break;
        }
        let done = player.step(step);
        done.with_context(|| format!("tests/scenarios/{name}/scenario.txt:{line}: {step:?}"))?;
    }
    player
        .session
        .take()
        .map_or(Ok(()), Session::quit)
        .context("at the end")
}

/// Whether a step means the same without the tool.
fn under_plain(step: &Step) -> bool {
    matches!(
        step,
        Step::Run(_) | Step::Start(_) | Step::Send(_) | Step::Expect(_) | Step::Exits(_)
    )
}

struct Player {
    // Ends before the package is removed.
    session: Option<Session>,
    package: Package,
    arguments: Vec<String>,
    last: Option<Event>,
    mode: Mode,
}

impl Player {
    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Run(arguments) => self.run(arguments),
            Step::Start(arguments) => self.start(arguments),
            Step::Send(text) => self.session()?.send(text),
            Step::Expect(text) => self.session()?.expect(text),
            Step::ExpectStderr(text) => self.session()?.expect_stderr(text),
            Step::Save { version, manner } => {
                let changed = self.package.save(version, *manner)?;
                self.session
                    .iter_mut()
                    .for_each(|session| session.saved(changed.clone()));
                Ok(())
            }
            Step::Edit { file, from, to } => self.package.edit(file, from, to),
            Step::Delete(file) => self.package.delete(file),
            Step::Rename(from, to) => self.package.rename(from, to),
            Step::Await { event, words } => {
                self.last = Some(self.session()?.await_event(event, words)?);
                Ok(())
            }
            Step::Check { field, has, words } => self.check(field, *has, words),
            Step::AwaitRestart => self.session()?.await_restart(),
            Step::Restart => {
                self.take()?.quit()?;
                let arguments = std::mem::take(&mut self.arguments);
                self.run(&arguments)
            }
            Step::Revert => self.verb("revert", &[]),
            Step::RestartProgram(flags) => self.verb("restart", flags),
            Step::Quit => self.take()?.quit(),
            Step::Exits(code) => self.take()?.exits(*code),
            Step::Cargo(arguments) => self.cargo(arguments),
            Step::Clean => self.package.clean(),
        }
    }

    fn run(&mut self, arguments: &[String]) -> Result<()> {
        self.start(arguments)?;
        match self.mode {
            Mode::Hot => self.session()?.await_ready().map(drop),
            Mode::Plain => Ok(()),
        }
    }

    /// What the command ends with is the event's to tell.
    fn verb(&mut self, verb: &str, flags: &[String]) -> Result<()> {
        let pid = self.session()?.pid()?.to_string();
        let flags = flags.iter().map(String::as_str);
        let words: Vec<&str> = [verb, "--pid", &pid].into_iter().chain(flags).collect();
        let mut verb = hotswap_verb(&self.package, &words)?;
        verb.output().context("a verb of cargo hotswap")?;
        Ok(())
    }

    fn start(&mut self, arguments: &[String]) -> Result<()> {
        ensure!(self.session.is_none(), "it runs already");
        self.arguments = arguments.to_vec();
        let session = match self.mode {
            Mode::Hot => Session::start(&self.package, arguments)?,
            Mode::Plain => Session::run_plain(&self.package, arguments)?,
        };
        self.session = Some(session);
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().context("nothing runs")
    }

    fn take(&mut self) -> Result<Session> {
        self.session.take().context("nothing runs")
    }

    fn check(&self, field: &str, has: bool, words: &[String]) -> Result<()> {
        let event = self.last.as_ref().context("no event was awaited")?;
        let verb = if has { "lacks" } else { "has" };
        ensure!(
            event.field_has(field, words) == has,
            "{field} {verb} {words:?}: {event}"
        );
        Ok(())
    }

    fn cargo(&self, arguments: &[String]) -> Result<()> {
        let output = cargo(&self.package)?.args(arguments).output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "cargo ended with {}:\n{words}",
            output.status
        );
        Ok(())
    }
}

/// Applies each save of a scenario in turn and checks it with plain cargo.
///
/// # Errors
///
/// When a version does not compile, or one does that a `compile-error` is awaited for.
pub fn walk(name: &str) -> Result<()> {
    let script = script(name)?;
    let package = Package::of_scenario(name, &script, Profile::Dev)?;
    expect_check(&package, "v1", true)?;
    for (index, (_, step)) in script.steps.iter().enumerate() {
        let version = match step {
            Step::Save { version, manner } => package.save(version, *manner).map(|_| version)?,
            Step::Edit { file, from, to } => package.edit(file, from, to).map(|()| to)?,
            Step::Delete(file) => package.delete(file).map(|()| file)?,
            Step::Rename(from, to) => package.rename(from, to).map(|()| from)?,
            _ => continue,
        };
        let next = script.steps.get(index + 1).map(|(_, step)| step);
        match next {
            Some(Step::Await { event, .. }) if event == "compile-error" => {
                expect_check(&package, version, false)?;
            }
            // Part of a change that goes on.
            Some(Step::Delete(_) | Step::Rename(..)) => {}
            _ => expect_check(&package, version, true)?,
        }
    }
    Ok(())
}

fn expect_check(package: &Package, version: &str, good: bool) -> Result<()> {
    let (success, words) = check(package)?;
    if success != good {
        bail!("{version} compiles: {success}, expected {good}\n{words}");
    }
    Ok(())
}
