//! Patches on trial: the tool watches the program that has taken one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{hotswap_verb, is_of_schema};
use serde_json::Value;

use super::{Server, text};
use crate::examples::http::Connection;

/// A patch on trial is kept, or taken back.
pub(super) fn stays_only_if_it_holds(
    server: &Server,
    handlers: &str,
    greeting: &str,
) -> Result<()> {
    let panics = format!("    assert_ne!(name, \"Boom\");\n{greeting}");
    server.package.edit(handlers, greeting, &panics)?;
    let patch = server.build("boom.hotpatch", &[])?;
    let path = text(&patch)?;

    let mut held = Tries::begin(server, &[path, "--watch", "1ms", "--revert-if", "exit 1"])?;
    let applied = held.line()?;
    ensure!(applied["patch"]["expires_ms"].is_u64(), "{applied}");
    let kept = held.line()?;
    ensure!(kept["applied"][0]["expires_ms"].is_null(), "{kept}");
    ensure!(held.code()? == 0, "{kept}");
    server.expect(&["revert", path], (0, true, None))?;

    let reported = "test $HOTSWAP_NAME = web && kill -0 $HOTSWAP_PID";
    let mut bad = Tries::begin(server, &[path, "--watch", "1h", "--revert-if", reported])?;
    taken_back(&mut bad, "succeeded", || Ok(()))?;

    // Somebody takes it back while the command runs, and then the time is over.
    let other = "/proc/$PPID/exe hotswap patch revert --pid $HOTSWAP_PID; exit 1";
    let mut gone = Tries::begin(server, &[path, "--watch", "1ms", "--revert-if", other])?;
    gone.line()?;
    let told = gone.line()?;
    let right = told["error"]
        .to_string()
        .contains("has gone back from it already");
    ensure!(right && gone.code()? == 14, "{told}");
    server.expect(&["revert", path], (0, false, None))?;

    // One in an hour is borne.
    let mut panicked = Tries::begin(server, &[path, "--watch", "1h", "--max-panics", "1/h"])?;
    taken_back(&mut panicked, "calls panicked", || {
        for _ in 0..2 {
            // It is not answered.
            let answer = Connection::open(&server.address)?.gives("GET /hello/Boom", "", "");
            ensure!(answer.is_err(), "it did not panic");
        }
        Ok(())
    })?;
    let list = server.expect(&["list"], (0, false, None))?;
    ensure!(list["applied"] == Value::Array(Vec::new()), "{list}");
    server.greets("Boom", false)
}

fn taken_back(trial: &mut Tries, reason: &str, then: impl FnOnce() -> Result<()>) -> Result<()> {
    let applied = trial.line()?;
    ensure!(applied["changed"] == true, "{applied}");
    then()?;
    let reverted = trial.line()?;
    let told = reverted["error"].as_str().unwrap_or_default();
    let right = reverted["changed"] == true && told.contains(reason);
    ensure!(right && reverted["failure"] == "did-not-hold", "{reverted}");
    ensure!(trial.code()? == 14, "{reverted}");
    Ok(())
}

/// The tool while it watches.
struct Tries {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tries {
    /// Applies a patch, and watches.
    fn begin(server: &Server, words: &[&str]) -> Result<Self> {
        let pid = server.child.id().to_string();
        let more = ["--pid", &pid, "--message-format=json"];
        let words = [&["patch", "apply"], words, &more].concat();
        let mut child = hotswap_verb(&server.package, &words)?
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let line = serde_json::from_str(&line).with_context(|| format!("`{line}` is no JSON"))?;
        is_of_schema("patches", &line)?;
        Ok(line)
    }

    fn code(&mut self) -> Result<i32> {
        Ok(self.child.wait()?.code().unwrap_or(-1))
    }
}

impl Drop for Tries {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
