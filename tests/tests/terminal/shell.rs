//! `cargo hotswap shell`: lines, history, completion, and each command as one of its own.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session, Terminal, hotswap, hotswap_verb, terminal::END};

/// Two crates, and a server.
const SOURCE: &str = r#"
use hotswap::Migrate;
use hotswap::server::{Context, Init, Options};

#[derive(Migrate, Debug)]
struct Room {
    guests: u64,
}

#[hotswap::server]
impl hotswap::Server for Room {
    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { guests: 7 })
    }
}

fn main() {
    Options::new().name("lobby").spawn::<Room>(()).unwrap();
    for line in std::io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    format!("{} {line}", word())
}

fn word() -> &'static str {
    "one"
}
"#;

const UP: &str = "\u{1b}[A";

/// The shell on a terminal, with a home of its own.
fn shell(package: &Package, session: &Session) -> Result<Terminal> {
    let pid = session.tool_pid().to_string();
    let mut command = hotswap(package)?;
    command.args(["shell", "--pid", &pid]);
    command.env("XDG_STATE_HOME", package.root.join("state"));
    Terminal::start(&command, 100, 30)
}

#[test]
fn commands_history_and_completion() -> Result<()> {
    let package = Package::of_source("in-shell", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let mut terminal = shell(&package, &session)?;
    terminal.expect("in-shell> ")?;
    terminal.type_line("servers")?;
    terminal.expect("lobby  in_shell::Room  idle")?;

    // Names of commands, and of what the program has.
    terminal.type_keys("vers\t\r")?;
    terminal.expect("0  current")?;
    terminal.type_keys("state lo\t\r")?;
    terminal.expect("guests: 7")?;
    terminal.type_keys("m in_s\t\r")?;
    terminal.expect(
        "in_shell (bin)\n  package  in-shell\n  version  0\n  image    the program itself\n",
    )?;

    // What is refused, and how.
    terminal.type_line("nonsense")?;
    terminal.expect("unrecognized subcommand 'nonsense'")?;
    terminal.type_line("quit")?;
    terminal.expect("`quit` ends the program")?;
    terminal.type_line("run")?;
    terminal.expect("`run` means no running program")?;
    terminal.type_line("state nobody")?;
    terminal.expect("no server has the name or number `nobody`")?;
    terminal.type_line("help")?;
    let help = terminal.expect("leaves the shell")?;
    ensure!(
        help.contains("soft-purge") && !help.contains("doctor"),
        "{help}"
    );

    // An older line, by its key.
    terminal.type_keys(&format!("{}\r", UP.repeat(2)))?;
    terminal.expect("no server has the name or number `nobody`")?;

    crates(&package, &mut session, &mut terminal)?;
    terminal.type_line("suspend lobby")?;
    terminal.expect("Suspended in_shell::Room `lobby`")?;
    terminal.type_line("servers")?;
    terminal.expect("suspended")?;
    terminal.type_line("resume --all")?;
    terminal.expect("Resumed in_shell::Room `lobby`")?;
    terminal.type_line("exit")?;
    ensure!(terminal.end()? == 0);

    let history = package.root.join("state/hotswap/history");
    let history = std::fs::read_to_string(history)?;
    ensure!(history.contains("state lobby\n"), "{history}");
    let mut terminal = shell(&package, &session)?;
    terminal.expect("in-shell> ")?;
    terminal.type_keys(&format!("{}\r", UP.repeat(4)))?;
    terminal.expect("Suspended in_shell::Room `lobby`")?;
    terminal.expect("in-shell> ")?;
    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    lines_from_a_file(&package, &session)?;
    session.quit()
}

/// To compile, to check and to load, where a save alone has not done it.
fn crates(package: &Package, session: &mut Session, terminal: &mut Terminal) -> Result<()> {
    terminal.type_line("c in-shell")?;
    terminal.expect("Loaded nothing: what was compiled is the code that runs\n")?;
    session.await_event("unchanged", &[])?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    terminal.type_line("m")?;
    terminal.expect("in_shell  bin  version 1, 1 file\n")?;
    terminal.type_line("mm")?;
    terminal.expect("what runs is what was saved\n")?;
    terminal.type_line("check")?;
    terminal.expect("Checked nothing: what runs is what was saved\n")?;
    terminal.type_line("lm")?;
    terminal.expect("Loaded nothing: what runs is what was saved\n")?;

    // After a revert the newest code is not live.
    terminal.type_line("revert")?;
    terminal.expect("Reverted to the code of version 0, as version 2\n")?;
    terminal.type_line("mm")?;
    terminal.expect("what runs is older than what was saved")?;
    session.await_swapped()?;
    session.ask("x", "one x")?;
    terminal.type_line("check")?;
    terminal.expect("Checked it would go live (__room_server, answer)\n")?;
    session.ask("x", "one x")?;
    terminal.type_line("lm")?;
    terminal.expect("Loaded version 3 (__room_server, answer)\n")?;
    session.await_swapped()?;
    session.ask("x", "two x")?;
    terminal.type_line("m in-shell")?;
    terminal.expect("version  3\n")?;
    terminal.type_line("c nobody")?;
    terminal.expect("no crate of this program that can be swapped has the name `nobody`\n")?;
    terminal.expect("= help: there are in_shell\n")?;

    // What does not compile is said in the shell.
    package.edit("src/main.rs", "\"two\"", "two")?;
    session.await_event("compile-error", &[])?;
    terminal.type_line("check")?;
    terminal.expect("cannot find value `two`")?;
    terminal.type_line("lm")?;
    terminal.expect("cannot find value `two`")?;
    session.await_event("compile-error", &[])?;
    session.ask("x", "two x")?;
    package.edit("src/main.rs", "    two\n", "    \"three\"\n")?;
    session.await_swapped()?;
    session.ask("x", "three x").map(drop)
}

/// What does not come from a terminal.
fn lines_from_a_file(package: &Package, session: &Session) -> Result<()> {
    let pid = session.tool_pid().to_string();
    for (lines, code, said) in [
        (
            "# nothing\n\nm --message-format=json\n",
            0,
            "\"package\":\"in-shell\"",
        ),
        ("state nobody\nservers\nexit\nnonsense\n", 1, "lobby"),
    ] {
        let mut command = hotswap_verb(package, &["shell", "--pid", &pid])?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        stdin.write_all(lines.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.code() == Some(code),
            "{lines}: {}",
            output.status
        );
        ensure!(text.contains(said), "{lines}: {text}");
    }
    Ok(())
}
