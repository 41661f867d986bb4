//! `wrk`, a load generator that has nothing to do with this project, and what it says.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::patchable::Met;

/// Threads and connections: the processors are busy all the time.
const WORDS: [&str; 5] = [
    "--threads=2",
    "--connections=16",
    "--timeout=10s",
    "--latency",
    "--duration",
];

/// Whether it is there.
pub fn is_installed() -> bool {
    // It ends with 1 after its version.
    Command::new("wrk").arg("--version").output().is_ok()
}

/// Has it load a URL for so many seconds.
///
/// # Errors
///
/// It can't be started.
pub fn start(url: &str, seconds: u64) -> Result<Child> {
    let mut command = Command::new("wrk");
    command.args(WORDS).arg(format!("{seconds}s")).arg(url);
    command.stdout(Stdio::piped()).spawn().context("wrk")
}

/// What it says at its end.
///
/// # Errors
///
/// It failed, or says something else.
pub fn end(child: Child) -> Result<Met> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {} {said}", output.status);
    read(&said).with_context(|| format!("wrk says {said}"))
}

fn read(said: &str) -> Option<Met> {
    let lines = || said.lines().map(str::trim);
    let after = |begin: &str| lines().find_map(|line| line.strip_prefix(begin));
    let requests = lines().find_map(|line| line.split_once(" requests in "))?.0;
    let errors = after("Socket errors:").unwrap_or_default();
    let counts = errors.split(|one: char| !one.is_ascii_digit());
    let broken: u64 = counts.filter_map(|count| count.parse::<u64>().ok()).sum();
    let others =
        after("Non-2xx or 3xx responses:").map_or(Some(0), |count| count.trim().parse().ok());
    Some(Met {
        requests: requests.parse().ok()?,
        failed: broken + others?,
        p99: microseconds(after("99%")?.trim())?,
    })
}

fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|one: char| one.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 1s test @ http://127.0.0.1:1/
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   200.25us  100.50us   3.00ms   90.00%
    Req/Sec    40.00k     1.00k   42.00k    70.00%
  Latency Distribution
     50%  190.00us
     99%    1.25ms
  80000 requests in 1.00s, 9.00MB read
Requests/sec:  80000.00
Transfer/sec:      9.00MB
";

    #[test]
    fn what_it_says_is_read() {
        let errors = "80000 requests in 1.00s, 9.00MB read
  Socket errors: connect 0, read 2, write 1, timeout 4
  Non-2xx or 3xx responses: 10";
        let failing = SAID.replace("80000 requests in 1.00s, 9.00MB read", errors);
        let good = Met {
            requests: 80_000,
            failed: 0,
            p99: 1250.0,
        };
        assert_eq!(read(SAID), Some(good));
        assert_eq!(read(&failing), Some(Met { failed: 17, ..good }));
        assert_eq!(read("unable to connect"), None);
        for (text, expected) in [("3.00us", Some(3.0)), ("2.5s", Some(2.5e6)), ("1m", None)] {
            assert_eq!(microseconds(text), expected);
        }
    }
}
