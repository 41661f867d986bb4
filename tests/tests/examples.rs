//! The examples, edited as their texts say.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session};

/// How long a peer may take to answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// Takes lines until one fulfils a condition.
fn line_that(session: &mut Session, condition: impl Fn(&str) -> bool) -> Result<String> {
    loop {
        let line = session.line()?;
        if condition(&line) {
            return Ok(line);
        }
    }
}

/// The examples run until they are ended.
fn end(session: Session) -> Result<()> {
    session.signal(session.pid()?, rustix::process::Signal::TERM)?;
    session.exits(143)
}

#[test]
fn greeter_changes_its_words() -> Result<()> {
    let package = Package::of_example("greeter")?;
    let mut session = Session::run(&package, &["-p", "greeter"])?;
    line_that(&mut session, |line| line == "Hello, Alice! (once)")?;
    package.edit("examples/greeter/src/main.rs", "\"Hello, ", "\"Howdy, ")?;
    session.await_swapped()?;
    let line = line_that(&mut session, |line| line.starts_with("Howdy"))?;
    ensure!(
        line != "Howdy, Alice! (once)",
        "the count began anew: {line}"
    );
    end(session)
}

#[test]
fn counter_changes_in_one_loop_only() -> Result<()> {
    let package = Package::of_example("counter")?;
    let mut session = Session::run(&package, &["-p", "counter"])?;
    line_that(&mut session, |line| line.starts_with("qualified"))?;
    package.edit("examples/counter/src/main.rs", "count + 1", "count + 1000")?;
    session.await_swapped()?;
    let large = |line: &str, kind: &str| {
        let count = line
            .strip_prefix(kind)
            .and_then(|count| count.trim().parse::<u64>().ok());
        count.is_some_and(|count| count > 1000)
    };
    // A few rounds after the switch the local loop has had its chance.
    for _ in 0..3 {
        line_that(&mut session, |line| large(line, "qualified"))?;
        let local = line_that(&mut session, |line| line.starts_with("local"))?;
        ensure!(!large(&local, "local"), "the local loop changed: {local}");
    }
    end(session)
}

/// A client of the chat.
struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: &str, name: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut client = Self {
            lines: BufReader::new(stream),
        };
        client.say(name)?;
        client.hears(&format!("welcome, {name}"))?;
        Ok(client)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.lines.get_mut(), "{line}")?)
    }

    fn hears(&mut self, expected: &str) -> Result<()> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        ensure!(
            line.trim_end() == expected,
            "expected {expected:?}, heard {line:?}"
        );
        Ok(())
    }
}

#[test]
fn chat_keeps_its_clients_and_their_lines() -> Result<()> {
    let package = Package::of_example("chat")?;
    let mut session = Session::run(&package, &["-p", "chat", "--", "127.0.0.1:0"])?;
    let line = session.line()?;
    let address = line.strip_prefix("listening on ").context("no address")?;
    let mut alice = Client::connect(address, "alice")?;
    let mut bob = Client::connect(address, "bob")?;
    alice.say("good morning")?;
    bob.hears("alice: good morning")?;
    alice.say("/ask how are you?")?;
    bob.hears("alice asks: how are you?")?;
    let main = "examples/chat/src/main.rs";
    package.edit(main, "{name} answers: {answer}", "{name} replies: {answer}")?;
    session.await_swapped()?;
    package.edit(
        "examples/chat/src/room.rs",
        "\"{}: {line}\"",
        "\"{} says {line}\"",
    )?;
    session.await_swapped()?;
    bob.say("fine")?;
    // The question was asked in the old version, and ends there; the line itself is new.
    alice.hears("bob says fine")?;
    alice.hears("bob answers: fine")?;
    bob.say("/ask and you?")?;
    alice.hears("bob asks: and you?")?;
    alice.say("well")?;
    bob.hears("alice says well")?;
    bob.hears("alice replies: well")?;
    alice.say("/who")?;
    alice.hears("here: alice, bob")?;
    end(session)
}

/// Sends a request on an open connection and gives the body of the answer.
fn request(stream: &mut BufReader<TcpStream>, head: &str, body: &str) -> Result<String> {
    let length = body.len();
    let head = format!("{head} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n");
    write!(
        stream.get_mut(),
        "{head}Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        ensure!(
            !line.starts_with("http/1.1 ") || line.contains(" 200 "),
            "{line}"
        );
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8(answer)?.trim_end().to_owned())
}

#[test]
fn web_serves_on_over_one_connection() -> Result<()> {
    let package = Package::of_example("web")?;
    let mut session = Session::run(&package, &["-p", "web", "--", "127.0.0.1:0"])?;
    let line = session.line()?;
    let address = line
        .strip_prefix("listening on http://")
        .context("no address")?;
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut stream = BufReader::new(stream);
    ensure!(request(&mut stream, "GET /", "")? == "<h1>Visit 1</h1>");
    ensure!(request(&mut stream, "GET /hello/Alice", "")? == "Hello, Alice!");
    let numbers = "{\"numbers\": [1, 2, 3]}";
    ensure!(request(&mut stream, "POST /sum", numbers)? == "{\"sum\":6}");
    let handlers = "examples/web/src/handlers.rs";
    package.edit(handlers, "\"Hello, ", "\"Howdy, ")?;
    session.await_swapped()?;
    ensure!(request(&mut stream, "GET /hello/Alice", "")? == "Howdy, Alice!");
    ensure!(request(&mut stream, "GET /", "")? == "<h1>Visit 2</h1>");
    package.edit(handlers, ".iter().sum()", ".iter().map(|n| n * n).sum()")?;
    session.await_swapped()?;
    ensure!(request(&mut stream, "POST /sum", numbers)? == "{\"sum\":14}");
    ensure!(request(&mut stream, "GET /", "")? == "<h1>Visit 3</h1>");
    end(session)
}
