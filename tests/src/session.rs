//! One run of the tool and the program under it: what goes in, what comes out, and its end.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{
    compile::{self, build_plain},
    event::Event,
    interrupts,
    package::Package,
    schema,
};

/// How long anything may take before the test fails; nothing waits for this when all is well.
const DEADLINE: Duration = Duration::from_secs(300);
/// The same while dependencies are built and other tests hold cargo's lock.
const BUILD_DEADLINE: Duration = Duration::from_secs(1800);

enum Line {
    Stdout(String),
    Stderr(String),
    Closed,
}

/// A started tool (or plain program) whose output is collected.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    open: u8,
    stdout: VecDeque<String>,
    stderr: VecDeque<String>,
    events: VecDeque<Event>,
    transcript: String,
    pids: Vec<u32>,
    starts: usize,
    version: u64,
    unseen: BTreeSet<String>,
    /// Lines that are not what the schema says, and what a runner finds.
    faults: Vec<String>,
}

impl Session {
    /// Starts `cargo hotswap run` with these flags, and `-- ARGS`.
    ///
    /// # Errors
    ///
    /// When the tool does not build or start.
    pub fn start(package: &Package, arguments: &[String]) -> Result<Self> {
        Self::spawn(compile::hotswap_run(package, arguments)?)
    }

    /// Starts the tool and waits until the program is ready to be patched.
    ///
    /// # Errors
    ///
    /// When anything else happens instead.
    pub fn run(package: &Package, arguments: &[&str]) -> Result<Self> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let mut session = Self::start(package, &arguments)?;
        session.await_ready()?;
        Ok(session)
    }

    /// Builds with plain cargo and starts the program without the tool.
    ///
    /// # Errors
    ///
    /// When it does not build.
    pub fn run_plain(package: &Package, arguments: &[String]) -> Result<Self> {
        Self::spawn(build_plain(package, arguments)?)
    }

    /// Starts a command whose output is read as the tool's.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(mut command: Command) -> Result<Self> {
        interrupts::heed()?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, so that a failed test can end compilers under way as well.
        let mut child = command.process_group(0).spawn().context("starting")?;
        let (sender, lines) = channel();
        let stdout = child.stdout.take().context("stdout is piped")?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        forward(stdout, sender.clone(), Line::Stdout);
        forward(stderr, sender, Line::Stderr);
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines,
            open: 2,
            stdout: VecDeque::new(),
            stderr: VecDeque::new(),
            events: VecDeque::new(),
            transcript: String::new(),
            pids: Vec::new(),
            starts: 1,
            version: 0,
            unseen: BTreeSet::new(),
            faults: Vec::new(),
        })
    }

    /// The process id of the tool.
    #[must_use]
    pub fn tool_pid(&self) -> u32 {
        self.child.id()
    }

    /// The process id of the program.
    ///
    /// # Errors
    ///
    /// When it was never started.
    pub fn pid(&self) -> Result<u32> {
        self.pids
            .last()
            .copied()
            .context("the program has not started")
    }

    /// Sends a line to the program's stdin.
    ///
    /// # Errors
    ///
    /// When the program no longer reads.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.note("in ", text);
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        match writeln!(stdin, "{text}") {
            Ok(()) => Ok(()),
            Err(error) => bail!("sending {text:?}: {error}\n{}", self.transcript),
        }
    }

    /// The program's next line on stdout.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub fn line(&mut self) -> Result<String> {
        self.wait("a line on stdout", DEADLINE, |session| {
            session.stdout.pop_front()
        })
    }

    /// Takes the program's next line, which must be this.
    ///
    /// # Errors
    ///
    /// When it is another, or none comes.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        let line = self.line().with_context(|| format!("expecting {text:?}"))?;
        self.ensure(line == text, || format!("expected {text:?}, got {line:?}"))
    }

    /// Sends a line and takes the answer, which must be this.
    ///
    /// # Errors
    ///
    /// When it is another, or none comes.
    pub fn ask(&mut self, question: &str, answer: &str) -> Result<()> {
        self.send(question)?;
        self.expect(answer)
    }

    /// Asks again after each outcome until this is the answer.
    ///
    /// # Errors
    ///
    /// When it never is.
    pub fn settle(&mut self, question: &str, answer: &str) -> Result<()> {
        loop {
            self.send(question)?;
            let line = self.line()?;
            if line == answer {
                return Ok(());
            }
            // The new code may answer before the tool has heard that it is current.
            let waiting = || format!("waiting for {answer:?}, got {line:?}");
            while !self.event(DEADLINE).with_context(waiting)?.is_outcome() {}
        }
    }

    /// Takes lines of stderr that are no events until one contains this text.
    ///
    /// # Errors
    ///
    /// When none does.
    pub fn expect_stderr(&mut self, text: &str) -> Result<()> {
        self.wait("a line on stderr", DEADLINE, |session| {
            let place = session.stderr.iter().position(|line| line.contains(text))?;
            session.stderr.drain(..=place);
            Some(())
        })
        .with_context(|| format!("expecting {text:?} on stderr"))
    }

    /// Notes that a save changed these files: an answer counts once the tool has seen them all.
    pub fn saved(&mut self, files: BTreeSet<String>) {
        self.note("sav", &format!("{files:?}"));
        // One file is one event; only several can be answered in parts.
        self.unseen = if files.len() > 1 {
            files
        } else {
            BTreeSet::new()
        };
    }

    /// Waits until the program listens.
    ///
    /// # Errors
    ///
    /// When it ends or fails to start instead.
    pub fn await_ready(&mut self) -> Result<Event> {
        let mut warnings = VecDeque::new();
        loop {
            let event = self.event(BUILD_DEADLINE)?;
            match event.kind() {
                "ready" => {
                    // They may be awaited later: nothing says in which order they come.
                    warnings.append(&mut self.events);
                    self.events = warnings;
                    return Ok(event);
                }
                "warning" => warnings.push_back(event),
                "failed" | "exited" | "refused" => bail!("not ready: {event}\n{}", self.transcript),
                _ => {}
            }
        }
    }

    /// Waits until the tool has started the program anew.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn await_restart(&mut self) -> Result<()> {
        self.starts += 1;
        loop {
            let event = self.event(DEADLINE).context("awaiting a restart")?;
            match event.kind() {
                "ready" => break,
                "failed" => bail!("no restart: {event}\n{}", self.transcript),
                _ => {}
            }
        }
        self.version = 0;
        let starts = (self.pids.len(), self.starts);
        self.ensure(starts.0 == starts.1, || {
            format!("{} starts, not {}", starts.0, starts.1)
        })
    }

    /// The next event, whatever it is.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub fn next_event(&mut self) -> Result<Event> {
        self.event(DEADLINE)
    }

    /// Waits for an event; another outcome in its place is an error.
    ///
    /// # Errors
    ///
    /// When another outcome comes, or the event lacks one of the words.
    pub fn await_event(&mut self, kind: &str, words: &[String]) -> Result<Event> {
        let mut partial = None;
        loop {
            let event = self
                .event(DEADLINE)
                .with_context(|| format!("awaiting {kind}"))?;
            let unseen = self.unseen.len();
            self.unseen.retain(|file| !event.names(file));
            if !event.is_outcome() && event.kind() != kind {
                continue;
            }
            let wanted = kind.split('|').any(|kind| kind == event.kind());
            let unchanged = event.kind() == "unchanged";
            // An answer to a part of the save may have taken the rest along.
            let rest = unchanged && unseen < 1 && partial.is_some();
            if !self.unseen.is_empty() || (unchanged && !wanted && !rest) {
                partial = wanted.then_some(event).or(partial);
                continue;
            }
            let event = if wanted {
                event
            } else {
                partial.filter(|_| rest).unwrap_or(event)
            };
            let wanted = kind.split('|').any(|kind| kind == event.kind());
            self.ensure(wanted, || format!("expected {kind}, got {event}"))?;
            self.ensure(event.has(words), || {
                format!("{event} lacks one of {words:?}")
            })?;
            return Ok(event);
        }
    }

    /// Waits for the next swap.
    ///
    /// # Errors
    ///
    /// When another outcome comes.
    pub fn await_swapped(&mut self) -> Result<Event> {
        self.await_event("swapped", &[])
    }

    fn event(&mut self, deadline: Duration) -> Result<Event> {
        let event = self.wait("an event", deadline, |session| session.events.pop_front())?;
        if event.kind() == "swapped" {
            let version = event.number("version").unwrap_or_default();
            let grew = version > self.version;
            self.ensure(grew, || format!("version {version} after {}", self.version))?;
            self.version = version;
        }
        Ok(event)
    }

    /// Closes stdin and takes the end of both processes, which must be a good one.
    ///
    /// # Errors
    ///
    /// When the exit code is not 0, or something failed that nobody awaited.
    pub fn quit(mut self) -> Result<()> {
        self.stdin = None;
        self.wait_exit(0)?;
        let failure = |event: &&Event| matches!(event.kind(), "failed" | "refused");
        let failure = self.events.iter().find(failure).cloned();
        self.ensure(failure.is_none(), || format!("nobody awaited {failure:?}"))?;
        self.ensure(self.pids.len() <= self.starts, || {
            "the program was restarted".to_owned()
        })
    }

    /// Takes the end of the tool, which must have this exit code.
    ///
    /// # Errors
    ///
    /// When it has another, or does not end.
    pub fn exits(mut self, code: i32) -> Result<()> {
        self.wait_exit(code)
    }

    fn wait_exit(&mut self, code: i32) -> Result<()> {
        let open = |session: &mut Self| (session.open == 0).then_some(());
        self.wait("the end of the output", DEADLINE, open)?;
        let status = self.child.wait()?;
        self.ensure(self.faults.is_empty(), || {
            format!("lines that must not be: {}", self.faults.join("\n"))
        })?;
        // As a shell says it.
        let found = status.code().or(status.signal().map(|signal| 128 + signal));
        self.ensure(found == Some(code), || {
            format!("expected exit {code}, got {status}")
        })
    }

    /// Sends a signal to a process of this session.
    ///
    /// # Errors
    ///
    /// When there is no such process.
    pub fn signal(&self, pid: u32, signal: Signal) -> Result<()> {
        kill_process(raw(pid)?, signal).with_context(|| format!("signalling {pid}"))
    }

    /// Sends a signal to the tool and all it started, as a terminal does.
    ///
    /// # Errors
    ///
    /// When they have ended.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        kill_process_group(raw(self.child.id())?, signal).context("signalling the group")
    }

    /// Adds what came in and went out so far to a failure.
    ///
    /// # Errors
    ///
    /// When the condition does not hold.
    pub fn ensure(&self, condition: bool, message: impl FnOnce() -> String) -> Result<()> {
        ensure!(condition, "{}\n{}", message(), self.transcript);
        Ok(())
    }

    fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut pick: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(picked) = pick(self) {
                return Ok(picked);
            }
            self.ensure(self.open > 0, || format!("the output ended before {what}"))?;
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.take(line),
                Err(RecvTimeoutError::Timeout) => {
                    self.ensure(false, || format!("waited {limit:?} for {what}"))?;
                }
                Err(RecvTimeoutError::Disconnected) => self.open = 0,
            }
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Stdout(text) => {
                self.note("out", &text);
                self.stdout.push_back(text);
            }
            Line::Stderr(text) => {
                self.note("err", &text);
                if text.starts_with("==") && compile::is_checked() {
                    self.faults.push(text.clone());
                }
                let Some(event) = Event::read(&text) else {
                    return self.stderr.push_back(text);
                };
                if let Err(error) = schema::check(&text) {
                    self.faults.push(format!("{text}: {error:#}"));
                }
                if event.kind() == "started" {
                    let pid = event.number("pid").and_then(|pid| u32::try_from(pid).ok());
                    self.pids.extend(pid);
                }
                self.events.push_back(event);
            }
            Line::Closed => self.open -= 1,
        }
    }

    fn note(&mut self, source: &str, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.transcript, "  {source} | {text}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The child is not reaped yet, so its group's number is still its own.
        if let Ok(group) = raw(self.child.id()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Ok(pid) = self.pid().and_then(raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn raw(pid: u32) -> Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.context("not a process id")
}

fn forward(source: impl Read + Send + 'static, sender: Sender<Line>, wrap: fn(String) -> Line) {
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut bytes = Vec::new();
        while let Ok(1..) = source.read_until(b'\n', &mut bytes) {
            let text = String::from_utf8_lossy(&bytes)
                .trim_end_matches('\n')
                .to_owned();
            bytes.clear();
            // Nobody listens once the test is over.
            if sender.send(wrap(text)).is_err() {
                return;
            }
        }
        let _ = sender.send(Line::Closed);
    });
}
