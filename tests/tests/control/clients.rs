//! Clients that do not behave, and sockets that nobody serves.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use hotswap_protocol::{address, frame};
use hotswap_tests::{Session, hotswap_verb};
use rustix::process::getuid;
use serde_json::{Value, json};

use super::{Verb, order, package, status};

/// The socket of a session's tool.
fn socket(session: &Session) -> Result<PathBuf> {
    let runtime = env::var_os(address::RUNTIME_DIR_VARIABLE);
    let folders = address::socket_directories(runtime.as_deref(), getuid().as_raw());
    let name = address::tool_socket_name(session.tool_pid());
    let mut paths = folders.iter().map(|folder| folder.join(&name));
    paths
        .find(|path| path.exists())
        .context("the tool has no socket")
}

fn greeted(session: &Session) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(socket(session)?)?;
    let hello = json!({"hello": {"protocol": 1, "client": "a test"}});
    frame::write(&mut stream, &hello)?;
    let answer: Value = frame::read(&mut stream)?;
    ensure!(answer["hello"]["pid"] == session.tool_pid(), "{answer}");
    Ok(stream)
}

#[test]
fn clients_that_hang_hold_nobody_up() -> Result<()> {
    let package = package("hanging")?;
    let mut session = Session::run(&package, &[])?;
    let mut clients = Vec::new();
    for bytes in [&b""[..], b"\x05", b"\x10\0\0\0{\"hello\""] {
        let mut stream = UnixStream::connect(socket(&session)?)?;
        stream.write_all(bytes)?;
        clients.push(stream);
    }
    for request in ["follow", "status"] {
        let mut stream = greeted(&session)?;
        frame::write(&mut stream, &json!({request: {}}))?;
        clients.push(stream);
    }
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two 1")?;
    status(&package, &session)?;
    // One that asks for something, and is gone before it is told how that went.
    let mut stream = greeted(&session)?;
    frame::write(&mut stream, &json!({"do": {"verb": "revert"}}))?;
    drop(stream);
    ensure!(session.await_swapped()?.number("reverts_to") == Some(0));
    session.ask("x", "one 2")?;
    ensure!(order(&package, &session, "quit")?["result"] == "done");
    session.exits(143)
}

#[test]
fn too_many_connections_are_refused_and_forgotten() -> Result<()> {
    let package = package("crowded")?;
    let session = Session::run(&package, &[])?;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(greeted(&session)?);
    }
    let mut one_more = UnixStream::connect(socket(&session)?)?;
    let answer: Value = frame::read(&mut one_more)?;
    ensure!(
        answer["error"]["message"] == "too many connections",
        "{answer}"
    );
    drop(clients);
    // The places are given back as soon as their threads have seen the end.
    while order(&package, &session, "status").is_err() {}
    order(&package, &session, "quit")?;
    session.exits(143)
}

#[test]
fn requests_that_are_none_are_answered() -> Result<()> {
    let package = package("strange-requests")?;
    let mut session = Session::run(&package, &[])?;
    let error = |answer: &Value| answer["error"]["message"].as_str().map(str::to_owned);
    let first = |request: Value| -> Result<Value> {
        let mut stream = UnixStream::connect(socket(&session)?)?;
        frame::write(&mut stream, &request)?;
        Ok(frame::read(&mut stream)?)
    };
    let other = first(json!({"hello": {"protocol": 9, "client": "a test"}}))?;
    ensure!(
        error(&other).is_some_and(|text| text.contains("protocol 1, not 9")),
        "{other}"
    );
    let early = first(json!({"status": {}}))?;
    ensure!(
        error(&early).is_some_and(|text| text.contains("must be hello")),
        "{early}"
    );
    let mut stream = greeted(&session)?;
    frame::write(&mut stream, &json!({"dance": {}}))?;
    let answer: Value = frame::read(&mut stream)?;
    ensure!(
        error(&answer).is_some_and(|text| text.contains("does not know")),
        "{answer}"
    );
    frame::write(&mut stream, &json!({"status": {}}))?;
    let answer: Value = frame::read(&mut stream)?;
    ensure!(
        answer["status"]["tool_pid"] == session.tool_pid(),
        "{answer}"
    );
    stream.write_all(&[255; 4])?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    session.ask("x", "one 1")?;
    session.quit()
}

#[test]
fn sockets_of_the_dead_are_removed() -> Result<()> {
    let package = package("left-over")?;
    let session = Session::run(&package, &[])?;
    let folder = socket(&session)?;
    let folder = folder.parent().context("a socket lies in a folder")?;
    // No process has such a number.
    let names = [
        address::tool_socket_name(u32::MAX - 1),
        address::socket_name(u32::MAX - 1),
    ];
    for name in &names {
        let path = folder.join(name);
        let _ = fs::remove_file(&path);
        drop(UnixListener::bind(&path)?);
        ensure!(path.exists());
    }
    status(&package, &session)?;
    for name in &names {
        ensure!(!folder.join(name).exists(), "{name} is left");
    }
    let own = socket(&session)?;
    session.quit()?;
    ensure!(!own.exists(), "{} is left", own.display());
    Ok(())
}

/// As root one can be somebody else. Otherwise only the decision is tested, where it is made.
#[test]
fn another_user_is_refused() -> Result<()> {
    if !getuid().is_root() {
        eprintln!("SKIPPED: only root can connect as another user");
        return Ok(());
    }
    let mut package = package("of-another")?;
    let runtime = tempfile::Builder::new().prefix("hs").tempdir_in("/tmp")?;
    fs::set_permissions(runtime.path(), fs::Permissions::from_mode(0o755))?;
    let text = runtime.path().to_string_lossy().into_owned();
    package
        .env
        .push((address::RUNTIME_DIR_VARIABLE.into(), text));
    let mut session = Session::run(&package, &[])?;
    let socket = runtime.path().join("hotswap");
    let socket = socket.join(address::tool_socket_name(session.tool_pid()));
    // What keeps others out is taken away, but for the look at who they are.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
    let folder = socket.parent().context("a socket lies in a folder")?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  print(s.recv(4096)[4:].decode())";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(&socket)
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: python3 speaks for another user here: {error}");
            return session.quit();
        }
    };
    let answer = String::from_utf8(output.stdout)?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(
        answer.contains("belongs to another user"),
        "{answer}{problem}"
    );
    // A folder that is open to others is no place for sockets, and is not looked at.
    let pid = session.tool_pid().to_string();
    Verb::of(hotswap_verb(&package, &["status", "--pid", &pid])?)?.expect(1, &[])?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    status(&package, &session)?;
    session.ask("x", "one 1")?;
    session.quit()
}
