//! Two loops, of which one calls an entry.

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session};

use super::{end, line_that, live};

#[test]
fn counter_changes_in_one_loop_only() -> Result<()> {
    let package = Package::of_example("counter")?;
    let mut session = Session::run(&package, &["-p", "counter"])?;
    line_that(&mut session, |line| line.starts_with("qualified"))?;
    package.edit("examples/counter/src/main.rs", "count + 1", "count + 1000")?;
    live(&mut session)?;
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
