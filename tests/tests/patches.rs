//! Patch files: a program that nobody watches, patched while it serves.

mod broken;
mod compared;
mod elsewhere;
mod hostile;
mod killed;
mod optimised;
mod stacks;
mod trial;

use std::fs;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use hotswap_protocol::event::Event;
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{ErrorCode, PROTOCOL, Request, Response};
use hotswap_tests::{Package, Wire, hotswap_verb, is_of_schema, workspace};
use serde_json::{Value, json};

use super::examples::http::Connection;

/// What is asked of the server again and again.
const REQUEST: &str = "GET /hello/Alice";

/// The source that is edited.
const HANDLERS: &str = "examples/web/src/handlers.rs";

/// Runs `cargo hotswap` with these words and takes its line of JSON, and its exit code.
fn tool(package: &Package, words: &[&str]) -> Result<(Value, i32)> {
    let mut words = words.to_vec();
    words.push("--message-format=json");
    let output = hotswap_verb(package, &words)?.output()?;
    let line = serde_json::from_slice(&output.stdout).with_context(|| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("{words:?} says no JSON: {stderr}")
    })?;
    let schema = match words.as_slice() {
        ["build", ..] => "build",
        ["patch", "build" | "show", ..] => "patch-file",
        ["patch", "verify", ..] => "patch-verify",
        _ => "patches",
    };
    is_of_schema(schema, &line)?;
    Ok((line, output.status.code().unwrap_or(-1)))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the tests is text")
}

/// Requests without end, over one connection.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Load {
    fn begin(address: &str) -> Result<Self> {
        let mut connection = Connection::open(address)?;
        let (stop, served) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&served));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                connection.gives(REQUEST, "", "Hello, Alice!")?;
                count.fetch_add(1, Ordering::AcqRel);
            }
            Ok(())
        });
        Ok(Self {
            stop,
            served,
            thread,
        })
    }

    /// Every request was answered as it should be.
    fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("it does not panic")?;
        Ok(self.served.load(Ordering::Acquire))
    }
}

/// The example with the key of the tests in it. In the profile in which its dependencies are built already: a
/// release build differs in nothing that is looked at here.
struct Server {
    package: Package,
    base: PathBuf,
    executable: PathBuf,
    child: Child,
    address: String,
    /// Where its stderr goes: a line is there before the answer to the request that it is about.
    log: PathBuf,
    audit: PathBuf,
}

/// Starts it; the result is the process and its address.
fn launch(mut command: Command, log: &Path, audit: &Path) -> Result<(Child, String)> {
    command
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(File::create(log)?)
        .env("HOTSWAP_LISTEN", "1")
        .env("HOTSWAP_AUDIT", audit);
    let mut child = command.spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().context("it has no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let address = line.strip_prefix("listening on http://");
    let address = address.context("no address")?.trim_end().to_owned();
    Ok((child, address))
}

impl Server {
    fn start() -> Result<Self> {
        let package = Package::of_example("web")?;
        let key = fs::read_to_string(workspace().join("tests/keys/test.pub"))?;
        let key = key.lines().last().context("a key has two lines")?;
        let before = "    let address = env::args()";
        // As services do.
        let listen = format!(
            "    env::set_current_dir(\"/\").unwrap();\n    \
             hotswap::listen(hotswap::Listen::new().public_key(\"{key}\")).unwrap();\n{before}"
        );
        package.edit("examples/web/src/main.rs", before, &listen)?;
        let (built, code) = tool(&package, &["build", "-p", "web"])?;
        ensure!(code == 0, "{built}");
        let path = |name: &str| built[name].as_str().map(PathBuf::from).context("no path");
        let (audit, log) = (
            package.root.join("audit.log"),
            package.root.join("server.log"),
        );
        let executable = path("executable")?;
        let mut command = Command::new(&executable);
        command.current_dir(&package.root);
        let (child, address) = launch(command, &log, Path::new("audit.log"))?;
        Ok(Self {
            base: path("base")?,
            executable,
            package,
            child,
            address,
            log,
            audit,
        })
    }

    /// Kills it.
    fn end(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills it, and starts it again, without any patch.
    fn start_again(&mut self) -> Result<()> {
        self.end()?;
        let command = Command::new(&self.executable);
        (self.child, self.address) = launch(command, &self.log, &self.audit)?;
        Ok(())
    }

    fn build(&self, name: &str, more: &[&str]) -> Result<PathBuf> {
        let patch = self.package.root.join(name);
        let key = workspace().join("tests/keys/test.key");
        let mut words = vec!["patch", "build", "--base", text(&self.base)?];
        words.extend(["--output", text(&patch)?, "--key", text(&key)?]);
        words.extend(more);
        let (built, code) = tool(&self.package, &words)?;
        ensure!(code == 0, "{built}");
        Ok(patch)
    }

    /// What the tool says, and its exit code.
    fn tries_to_build(&self, more: &[&str]) -> Result<(String, i32)> {
        let mut words = vec!["patch", "build", "--base", text(&self.base)?];
        words.extend(["--output", "none.hotpatch"]);
        words.extend(more);
        let output = hotswap_verb(&self.package, &words)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((said, output.status.code().unwrap_or(-1)))
    }

    /// What is done with patches in the server.
    fn patch(&self, words: &[&str]) -> Result<(Value, i32)> {
        let pid = self.child.id().to_string();
        let words = [&["patch"], words, &["--pid", &pid]].concat();
        tool(&self.package, &words)
    }

    fn expect(&self, words: &[&str], expected: (i32, bool, Option<&str>)) -> Result<Value> {
        let (line, code) = self.patch(words)?;
        let changed = line["changed"].as_bool().unwrap_or_default();
        let found = (code, changed, line["failure"].as_str());
        ensure!(found == expected, "{words:?}: {line}");
        Ok(line)
    }

    /// Has somebody greeted, of which the log tells or not.
    fn greets(&self, name: &str, logged: bool) -> Result<()> {
        let mut connection = Connection::open(&self.address)?;
        connection.gives(
            &format!("GET /hello/{name}"),
            "",
            &format!("Hello, {name}!"),
        )?;
        let log = fs::read_to_string(&self.log)?;
        ensure!(
            log.contains(&format!("name={name}")) == logged,
            "{name}:\n{log}"
        );
        Ok(())
    }

    /// The program tells what happens in it.
    fn events(&self) -> Result<Wire> {
        let mut wire = Wire::open(self.child.id())?;
        wire.greet(PROTOCOL)?;
        let answer = wire.ask(&Request::Events {})?;
        ensure!(matches!(answer, Response::Subscribed {}), "{answer:?}");
        Ok(wire)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The walk-through of the README.
#[test]
fn a_program_that_nobody_watches_logs_more_for_a_while() -> Result<()> {
    let mut server = Server::start()?;
    let load = Load::begin(&server.address)?;
    let handlers = HANDLERS;
    let greeting = "    format!(\"Hello, {name}!\\n\")";
    let logged = format!("    tracing::info!(%name, \"greeted\");\n{greeting}");
    server.package.edit(handlers, greeting, &logged)?;
    let patch = server.build("greeted.hotpatch", &[])?;
    let first = fs::read(&patch)?;
    let patch = server.build("greeted.hotpatch", &[])?;
    let second = fs::read(&patch)?;
    let signature = hotswap_protocol::patch::container::read(&first)?
        .signed
        .len();
    ensure!(
        first[..signature] == second[..signature],
        "the same inputs give other bytes"
    );
    let path = text(&patch)?.to_owned();

    let over = server.build("over.hotpatch", &["--not-after", "2020-01-01T00:00:00Z"])?;
    hostile::all_are_refused(&server, &patch, &over)?;
    fs::remove_file(&server.audit)?;
    refused(&server, &patch, &over)?;
    server.expect(&["apply", &path, "--dry-run"], (0, false, None))?;
    let mut events = server.events()?;
    server.expect(&["apply", &path], (0, true, None))?;
    server.greets("Early", true)?;
    // Again, and this time not for ever.
    let again = server.expect(&["apply", &path, "--ttl", "1s"], (0, false, None))?;
    ensure!(again["patch"]["expires_ms"].is_u64(), "{again}");
    loop {
        // The program goes back by itself.
        if let Event::Reverted(reverted) = events.event()? {
            ensure!(reverted.to == 0, "{reverted:?}");
            break;
        }
    }
    server.greets("Late", false)?;
    server.expect(&["revert"], (0, false, None))?;
    let list = server.expect(&["list"], (0, false, None))?;
    ensure!(list["applied"] == Value::Array(Vec::new()), "{list}");
    server.expect(&["apply", &path], (0, true, None))?;
    server.expect(&["revert", &path], (0, true, None))?;

    let served = load.end()?;
    ensure!(served > 0, "nothing was served");
    audited(&server.audit)?;
    server.greets("Last", false)?;
    ensure!(server.child.try_wait()?.is_none(), "it has ended");

    // Of the first patch statics stay in memory, and it has no types of its own.
    server.package.edit(handlers, &logged, greeting)?;
    another_compiler_is_refused(&server)?;
    who_does_not_answer_is_named(&server)?;
    elsewhere::are_patched_by_number(&server, &patch)?;
    what_does_not_compile_is_told_without_colours(&server, greeting)?;
    calls_are_logged(&server)?;
    broken::exactly_the_old_or_the_new(&mut server, &patch)?;
    server.start_again()?;
    stacks::lie_on_each_other(&server, greeting)?;
    server.start_again()?;
    trial::stays_only_if_it_holds(&server, handlers, greeting)
}

/// What is compiled by another compiler than the program was is no patch for it.
fn another_compiler_is_refused(server: &Server) -> Result<()> {
    let other = server.package.root.join("other.hotswap");
    let mut base: Value = serde_json::from_slice(&fs::read(&server.base)?)?;
    let here = base["toolchain"].as_str().context("no compiler")?;
    let here = here.lines().next().unwrap_or_default().to_owned();
    base["toolchain"] = "rustc 1.0.0 (a59de37e9 2015-05-13)\nhost: x".into();
    fs::write(&other, serde_json::to_vec(&base)?)?;
    let words = [
        "patch",
        "build",
        "--base",
        text(&other)?,
        "-o",
        "none.hotpatch",
    ];
    let output = hotswap_verb(&server.package, &words)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let named = format!("must be compiled by rustc 1.0.0 (a59de37e9 2015-05-13), here is {here}");
    let refused = output.status.code() == Some(101) && said.contains(&named);
    ensure!(refused, "{said}");
    ensure!(
        !server.package.root.join("none.hotpatch").exists(),
        "{said}"
    );
    Ok(())
}

/// Nothing of what the compiler says steers a terminal, where it goes to none.
fn what_does_not_compile_is_told_without_colours(server: &Server, greeting: &str) -> Result<()> {
    server.package.edit(HANDLERS, greeting, "    unknown()")?;
    let (said, code) = server.tries_to_build(&[])?;
    server.package.edit(HANDLERS, "    unknown()", greeting)?;
    let told =
        said.contains("cannot find function `unknown`") && said.contains("could not compile");
    ensure!(code == 101 && told && !said.contains('\u{1b}'), "{said}");
    Ok(())
}

/// Of all programs the one that is stopped is left out, but not silently.
fn who_does_not_answer_is_named(server: &Server) -> Result<()> {
    let pid = server.child.id().to_string();
    let signal = |word: &str| Command::new("kill").args([word, &pid]).status();
    signal("-STOP")?;
    let output = hotswap_verb(&server.package, &["patch", "list", "--all"])?.output();
    signal("-CONT")?;
    let said = String::from_utf8(output?.stderr)?;
    let named = format!("process {pid} has a socket, but it does not answer");
    ensure!(said.contains(&named), "{said}");
    Ok(())
}

/// A patch that tells of calls, without an edit.
fn calls_are_logged(server: &Server) -> Result<()> {
    let (unknown, code) = server.tries_to_build(&["--log", "hallo"])?;
    let lists = unknown.contains("no entry `hallo`") && unknown.contains("`web::handlers::hello`");
    ensure!(code == 101 && lists, "{code}: {unknown}");
    let patch = server.build("calls.hotpatch", &["--log", "handlers::hello"])?;
    let path = text(&patch)?;
    server.expect(&["apply", path], (0, true, None))?;
    server.greets("Told", false)?;
    server.expect(&["revert", path], (0, true, None))?;
    server.greets("Silent", false)?;
    let log = fs::read_to_string(&server.log)?;
    let called = "hotswap: called: web::handlers::hello(name = \"Told\")";
    let ended = "hotswap: ended: web::handlers::hello after ";
    ensure!(log.contains(called) && log.contains(ended), "{log}");
    ensure!(!log.contains("Silent"), "{log}");
    Ok(())
}

/// What must not be applied is refused by name, and the program goes on as it was.
fn refused(server: &Server, patch: &Path, over: &Path) -> Result<()> {
    let damaged = server.package.root.join("damaged.hotpatch");
    let good = fs::read(patch)?;
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&damaged, &flipped)?;
    let words = ["apply", text(&damaged)?];
    server.expect(&words, (10, false, Some("bad-signature")))?;
    let unsigned = hotswap_protocol::patch::container::read(&good)?.signed;
    fs::write(&damaged, unsigned)?;
    server.expect(&words, (10, false, Some("not-signed")))?;
    let words = ["apply", text(over)?];
    server.expect(&words, (11, false, Some("patch-expired")))?;
    // It would stay for good.
    let stays = hostile::changed(&good, |text| {
        text["plan"]["no_way_back"] = json!(["a field is gone"]);
    })?;
    fs::write(&damaged, stays)?;
    for time in ["--ttl=1m", "--watch=1m"] {
        let words = ["apply", text(&damaged)?, time];
        let line = server.expect(&words, (11, false, None))?;
        ensure!(
            line["error"].to_string().contains("a field is gone"),
            "{line}"
        );
    }
    // What a tool that edits the program would send.
    let mut wire = Wire::open(server.child.id())?;
    let Response::Hello(hello) = wire.greet(PROTOCOL)? else {
        anyhow::bail!("no hello")
    };
    let manifest = Box::new(Manifest::new(hello.build_id.context("no build id")?));
    let answer = wire.ask(&Request::Prepare { manifest })?;
    let signed_only =
        matches!(&answer, Response::Error { code, .. } if *code == ErrorCode::SignedOnly);
    ensure!(signed_only, "{answer:?}");
    let list = server.expect(&["list"], (0, false, None))?;
    ensure!(list["version"] == 0, "{list}");
    Ok(())
}

fn audited(log: &Path) -> Result<()> {
    let text = fs::read_to_string(log)?;
    let lines = text.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let acts: Vec<(&str, &str)> = lines
        .iter()
        .filter_map(|line| Some((line["act"].as_str()?, line["result"].as_str()?)))
        .collect();
    // A line before the code that runs is changed, and one after.
    let expected = [
        ("apply", "bad-signature"),
        ("apply", "not-signed"),
        ("apply", "patch-expired"),
        ("dry-run", "unchanged"),
        ("apply", "begun"),
        ("apply", "done"),
        ("apply", "unchanged"),
        ("expire", "begun"),
        ("expire", "done"),
        ("revert", "unchanged"),
        ("apply", "begun"),
        ("apply", "done"),
        ("revert", "begun"),
        ("revert", "done"),
    ];
    ensure!(acts == expected, "{text}");
    Ok(())
}
