//! Servers of a running program, from another terminal.

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};
use serde_json::Value;

/// Three servers, one of which is busy when it is told to be, and one that shows nothing.
const SOURCE: &str = r#"
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, Options};

static BUSY: AtomicBool = AtomicBool::new(false);

#[derive(Migrate, Debug)]
struct Tally {
    count: u64,
}

#[derive(Migrate)]
enum Ask {
    Add(u64),
    Busy,
}

#[hotswap::server]
impl hotswap::Server for Tally {
    type Call = Ask;
    type Reply = u64;

    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { count: 0 })
    }

    fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> u64 {
        match ask {
            Ask::Add(more) => self.count += more,
            Ask::Busy => {
                println!("busy");
                BUSY.store(true, Ordering::SeqCst);
                while BUSY.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            }
        }
        self.count
    }
}

#[derive(Migrate)]
struct Secret;

#[hotswap::server]
impl hotswap::Server for Secret {
    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self)
    }
}

fn start(name: &str) -> Handle<Tally> {
    Options::new().name(name).spawn(()).unwrap()
}

fn main() {
    let (first, second) = (start("first"), start("second"));
    hotswap::server::spawn::<Secret>(()).unwrap();
    let (mut pending, mut busy) = (Vec::new(), None);
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "add" => println!("{}", first.call(Ask::Add(1)).unwrap()),
            "later" => {
                pending.push(first.ask(Ask::Add(1)).unwrap());
                println!("asked");
            }
            "fetch" => {
                let replies = pending.drain(..).map(|it| it.wait(Duration::from_secs(120)));
                println!("{:?}", replies.collect::<Result<Vec<_>, _>>());
            }
            "busy" => busy = second.ask(Ask::Busy).ok(),
            "idle" => {
                BUSY.store(false, Ordering::SeqCst);
                println!("{:?}", busy.take().unwrap().wait(Duration::from_secs(120)));
            }
            "start" => println!("{}", start("third").call(Ask::Add(5)).unwrap()),
            _ => println!("{}", word()),
        }
    }
}

#[hotswap::entry]
fn word() -> &'static str {
    "one"
}
"#;

/// How a command ended: its exit code, what it printed as JSON, and what it said.
struct Ended {
    code: Option<i32>,
    line: Value,
    said: String,
}

fn json(package: &Package, session: &Session, arguments: &[&str]) -> Result<Ended> {
    let mut ended = human(
        package,
        session,
        &[arguments, &["--message-format=json"]].concat(),
    )?;
    ended.line = serde_json::from_str(&ended.said).with_context(|| ended.said.clone())?;
    ensure!(ended.line["format"] == 1, "{}", ended.line);
    Ok(ended)
}

fn human(package: &Package, session: &Session, arguments: &[&str]) -> Result<Ended> {
    let pid = session.tool_pid().to_string();
    let arguments = [arguments, &["--pid", &pid]].concat();
    let output = hotswap_verb(package, &arguments)?.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ended {
        code: output.status.code(),
        line: Value::Null,
        said: String::from_utf8(said)?,
    })
}

impl Ended {
    fn expect(&self, code: i32, words: &[&str]) -> Result<()> {
        ensure!(self.code == Some(code), "{:?}: {}", self.code, self.said);
        for word in words {
            ensure!(self.said.contains(word), "no {word:?}: {}", self.said);
        }
        Ok(())
    }

    /// What a field of all servers says.
    fn all(&self, field: &str) -> Result<Vec<&Value>> {
        let servers = self.line["servers"].as_array().context("no servers")?;
        Ok(servers.iter().map(|server| &server[field]).collect())
    }
}

#[test]
fn servers_are_told_what_to_do() -> Result<()> {
    let package = Package::of_source("servers", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    states_are_shown(&package, &mut session)?;
    a_busy_one_keeps_all_from_being_suspended(&package, &mut session)?;
    all_are_listed_suspended_and_resumed(&package, &mut session)?;
    session.quit()
}

fn states_are_shown(package: &Package, session: &mut Session) -> Result<()> {
    session.ask("add", "1")?;
    let shown = json(package, session, &["state", "first"])?;
    let text = "Tally {\n    count: 1,\n}";
    ensure!(shown.line["state"] == text, "{}", shown.line);
    ensure!(shown.all("name")? == ["first"]);
    // By its number, in the code that is current.
    let field = "struct Tally {\n    #[migrate(default = 4)]\n    extra: u64,\n";
    let source = SOURCE.replace("struct Tally {\n", field);
    let source = source.replace("Self { count: 0 }", "Self { extra: 0, count: 0 }");
    package.write("src/main.rs", source.as_bytes())?;
    session.await_swapped()?;
    let number = shown.all("number")?[0].to_string();
    human(package, session, &["state", &number])?.expect(0, &["extra: 4,\n    count: 1,\n}\n"])?;
    let secret = json(package, session, &["servers"])?.all("number")?[2].to_string();
    human(package, session, &["state", &secret])?.expect(
        1,
        &["its type `servers::Secret` shows nothing: derive `Debug` for it"],
    )?;
    json(package, session, &["state", "nobody"])?.expect(
        1,
        &[
            "no server has the name or number `nobody`",
            "`cargo hotswap servers`",
        ],
    )?;
    for arguments in [&["suspend"][..], &["resume", "first", "--all"]] {
        human(package, session, arguments)?.expect(2, &["Usage: cargo hotswap"])?;
    }
    Ok(())
}

fn a_busy_one_keeps_all_from_being_suspended(
    package: &Package,
    session: &mut Session,
) -> Result<()> {
    session.ask("busy", "busy")?;
    for which in ["--all", "second"] {
        human(package, session, &["suspend", which, "--timeout=0.01"])?.expect(
            1,
            &[
                "busy for 10ms: servers::Tally `second`\n",
                "= help: nothing was changed",
            ],
        )?;
    }
    human(package, session, &["state", "second", "--timeout=0"])?.expect(1, &["busy for 0ns"])?;
    let listed = json(package, session, &["servers"])?;
    ensure!(listed.all("activity")? == ["idle", "busy", "idle"]);
    ensure!(listed.all("busy_ms")?[1].is_u64());
    session.ask("add", "2")?;
    session.ask("idle", "Ok(0)")?;
    human(package, session, &["suspend", "--all"])?.expect(0, &["Suspended 3 servers"])?;
    human(package, session, &["resume", "--all"])?.expect(0, &["Resumed 3 servers"])
}

fn all_are_listed_suspended_and_resumed(package: &Package, session: &mut Session) -> Result<()> {
    let listed = json(package, session, &["servers"])?;
    let names = [Value::from("first"), Value::from("second"), Value::Null];
    ensure!(listed.all("name")? == names.iter().collect::<Vec<_>>());
    ensure!(listed.all("activity")? == ["idle"; 3]);
    ensure!(listed.all("handled")? == [2, 1, 0]);
    let (tally, secret) = ("servers::Tally", "servers::Secret");
    ensure!(listed.all("kind")? == [tally, tally, secret]);
    human(package, session, &["servers"])?.expect(
        0,
        &[
            "first   servers::Tally   idle",
            "2 handled",
            "-       servers::Secret",
        ],
    )?;

    // One.
    human(package, session, &["suspend", "first"])?
        .expect(0, &["Suspended servers::Tally `first`"])?;
    session.ask("later", "asked")?;
    let suspended = json(package, session, &["servers"])?;
    ensure!(suspended.all("activity")? == ["suspended", "idle", "idle"]);
    ensure!(suspended.all("waiting")? == [1, 0, 0]);
    human(package, session, &["resume", "first"])?
        .expect(0, &["Resumed servers::Tally `first`"])?;
    session.ask("fetch", "Ok([3])")?;

    // All, and one that is started meanwhile.
    let all = json(package, session, &["suspend", "--all"])?;
    all.expect(0, &[])?;
    ensure!(all.all("activity")? == ["suspended"; 3]);
    session.ask("later", "asked")?;
    // Calls made meanwhile are answered by the new code.
    package.edit("src/main.rs", "count += more", "count += 10 * more")?;
    session.await_swapped()?;
    session.send("start")?;
    let mut listed = json(package, session, &["servers"])?;
    while listed
        .all("waiting")?
        .get(3)
        .is_none_or(|count| **count != 1)
    {
        listed = json(package, session, &["servers"])?;
    }
    ensure!(listed.all("activity")? == ["suspended"; 4]);
    human(package, session, &["resume", "--all"])?.expect(0, &["Resumed 4 servers"])?;
    session.expect("50")?;
    session.ask("fetch", "Ok([13])").map(drop)
}
