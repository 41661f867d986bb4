//! A loop that calls an entry.

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session};

use super::{end, line_that, live};

#[test]
fn greeter_changes_its_words() -> Result<()> {
    let package = Package::of_example("greeter")?;
    let mut session = Session::run(&package, &["-p", "greeter"])?;
    line_that(&mut session, |line| line == "Hello, Alice! (once)")?;
    package.edit("examples/greeter/src/main.rs", "\"Hello, ", "\"Howdy, ")?;
    live(&mut session)?;
    let line = line_that(&mut session, |line| line.starts_with("Howdy"))?;
    ensure!(
        line != "Howdy, Alice! (once)",
        "the count began anew: {line}"
    );
    end(session)
}
