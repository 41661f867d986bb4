//! Tools that bring an edit into a program, each with its own copy of a package.
//!
//! All are asked the same question in the same way: after the save, `GET answer` is sent until the
//! program has the new number. So nothing counts that a tool says of itself.

pub mod packages;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hotswap_tests::Session;
use rustix::process::Signal;

use crate::resp::Client;
use crate::tool;
use crate::work::{Edit, Work};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(1);

/// How long an edit may take before the tool counts as one that did not bring it.
const EDIT_DEADLINE: Duration = Duration::from_secs(30);

/// The same for the start, which builds the dependencies.
const START_DEADLINE: Duration = Duration::from_secs(1200);

/// What is done upon a save, where the tool does not watch the files itself.
pub enum Upon {
    /// Nothing: the tool sees it.
    Watched,
    /// A build, after which the program sees the library.
    Build(Command),
    /// A build, after which this program is started in place of the one that runs.
    Restart(Command, Command),
}

/// A package and the program made of it, which runs.
pub struct Contender {
    /// For people.
    pub name: String,
    /// What is edited.
    pub work: Work,
    port: u16,
    /// The tool or the program; both end with it.
    running: Option<Running>,
    client: Option<Client>,
    upon: Upon,
}

/// What was started: ended when dropped.
enum Running {
    /// Always there until then.
    Session(Option<Box<Session>>),
    Program(Child),
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing of this matters if it has ended by itself.
        match self {
            Self::Session(session) => {
                if let Some(session) = session.take() {
                    // A tool that names the program's process ends with it, others as by Ctrl-C.
                    let _ = match session.pid() {
                        Ok(pid) => session.signal(pid, Signal::TERM),
                        Err(_) => session.signal(session.tool_pid(), Signal::INT),
                    };
                    let _ = session.exits(0);
                }
            }
            Self::Program(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// A port on which nobody listens.
///
/// # Errors
///
/// There is none.
pub fn port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Contender {
    /// Starts a tool that runs the program, which listens on this port, and watches its files.
    ///
    /// # Errors
    ///
    /// The program does not come to answer.
    pub fn watched(name: &str, work: Work, port: u16, command: Command) -> Result<Self> {
        let session = Session::spawn(command)?;
        let running = Some(Running::Session(Some(Box::new(session))));
        let upon = Upon::Watched;
        Self::started(name, work, port, running, upon)
    }

    /// Builds and starts the program; each save has the build run again.
    ///
    /// # Errors
    ///
    /// It does not build, or does not come to answer.
    pub fn built(
        name: &str,
        work: Work,
        port: u16,
        (mut all, mut program): (Command, Command),
        upon: impl FnOnce(Command, Command) -> Upon,
    ) -> Result<Self> {
        build(&mut all)?;
        let running = Some(Running::Program(start(&mut program)?));
        Self::started(name, work, port, running, upon(all, program))
    }

    fn started(
        name: &str,
        work: Work,
        port: u16,
        running: Option<Running>,
        upon: Upon,
    ) -> Result<Self> {
        let mut contender = Self {
            name: name.to_owned(),
            work,
            port,
            running,
            client: None,
            upon,
        };
        let deadline = Instant::now() + START_DEADLINE;
        contender.await_answer(0, deadline)?;
        Ok(contender)
    }

    /// Milliseconds from the save of this edit until the program answers with its number.
    ///
    /// # Errors
    ///
    /// It does not, in half a minute.
    pub fn edit(&mut self, number: usize) -> Result<f64> {
        let begun = Instant::now();
        self.work.save(Edit::InPlace, number)?;
        match &mut self.upon {
            Upon::Watched => {}
            Upon::Build(command) => build(command)?,
            Upon::Restart(command, program) => {
                build(command)?;
                self.client = None;
                // First the old one, since both want the same port.
                self.running = None;
                self.running = Some(Running::Program(start(program)?));
            }
        }
        self.await_answer(number, begun + EDIT_DEADLINE)?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    fn await_answer(&mut self, edit: usize, deadline: Instant) -> Result<()> {
        let wanted = Work::number(edit).to_string();
        loop {
            let answer = self.ask();
            if matches!(&answer, Ok(Some(answer)) if *answer == wanted) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = format!("{}: edit {edit} is not live: {answer:?}", self.name);
                if let Some(Running::Session(Some(session))) = &self.running {
                    session.ensure(false, || text.clone())?;
                }
                bail!(text);
            }
            sleep(PAUSE);
        }
    }

    /// Asks over the connection that there is, or a new one.
    fn ask(&mut self) -> Result<Option<String>> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.port)?,
        };
        let answer = client.get("answer")?;
        self.client = Some(client);
        Ok(answer)
    }
}

fn build(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("building")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it does not build:\n{text}");
    Ok(())
}

fn start(command: &mut Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("starting the program")
}

/// `cargo build` with these flags.
pub fn cargo_build(work: &Work, flags: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tool::command(cargo, work);
    command.arg("build").args(flags);
    command
}

/// The executable that `cargo build` makes, listening on a port.
pub fn program(work: &Work, name: &str, port: u16) -> Command {
    let mut command = tool::command(work.target.join("debug").join(name), work);
    command.args(["--port", &port.to_string()]);
    command
}

/// `dx serve` with hot patches and without a terminal, browser or telemetry.
///
/// # Errors
///
/// There is no free port for it.
pub fn dx_serve(work: &Work, name: &str, port: u16) -> Result<Command> {
    let mut command = tool::command("dx", work);
    command
        .args(["serve", "--hot-patch", "--interactive", "false"])
        .args(["--open", "false", "--port", &self::port()?.to_string()])
        .args(["--bin", name, &format!("--args=--port {port}")])
        .env("DX_TELEMETRY_ENABLED", "false")
        // What it keeps of its own, which else is in the user's folder.
        .env("DX_HOME", work.target.with_file_name("dx-home"));
    Ok(command)
}
