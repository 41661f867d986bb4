//! `redis-benchmark`, a load generator that has nothing to do with this project, and what it says.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::patchable::Met;

/// Connections: the processors are busy all the time.
const CONNECTIONS: &str = "50";

/// Whether it is there.
pub fn is_installed() -> bool {
    Command::new("redis-benchmark")
        .arg("--version")
        .output()
        .is_ok()
}

/// Has it send so many requests of each of these kinds to a server on this machine, with keys among ten thousand.
pub fn command(port: u16, kinds: &str, requests: usize) -> Command {
    let mut command = Command::new("redis-benchmark");
    command.args(["-t", kinds, "-c", CONNECTIONS, "-r", "10000"]);
    command.args(["-n", &requests.to_string(), "-p", &port.to_string()]);
    command
}

/// Has it send so many requests for values.
///
/// # Errors
///
/// It can't be started.
pub fn start(port: u16, requests: usize) -> Result<Child> {
    let mut command = command(port, "get", requests);
    command
        .arg("--csv")
        .stdout(Stdio::piped())
        // It says that the server has no settings to show.
        .stderr(Stdio::null());
    command.spawn().context("redis-benchmark")
}

/// What such a run of so many requests has met with: it ends at the first error.
///
/// # Errors
///
/// There was one, or it says something else than it should.
pub fn end(child: Child, requests: usize) -> Result<Met> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "redis-benchmark: {} {said}",
        output.status
    );
    let p99 = p99(&said).with_context(|| format!("redis-benchmark says {said}"))?;
    Ok(Met {
        requests: requests as u64,
        failed: 0,
        p99,
    })
}

/// Microseconds, of a table with one row.
fn p99(said: &str) -> Option<f64> {
    let mut rows = said
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let at = rows
        .next()?
        .position(|heading| heading == "p99_latency_ms")?;
    Some(rows.next()?.nth(at)?.parse::<f64>().ok()? * 1e3)
}

#[cfg(test)]
mod tests {
    use super::p99;

    #[test]
    fn what_it_says_is_read() {
        let headings = "\"test\",\"rps\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";
        for (row, expected) in [
            (
                "\"GET\",\"56497.18\",\"0.839\",\"0.967\",\"4.623\"",
                Some(967.0),
            ),
            ("\"GET\",\"56497.18\"", None),
            ("", None),
        ] {
            assert_eq!(p99(&format!("{headings}\n{row}\n")), expected);
        }
        assert_eq!(p99("Could not connect to Redis"), None);
    }
}
