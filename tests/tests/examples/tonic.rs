//! tonic: calls over one connection, and a stream that is open at the swap.

use anyhow::Result;
use hotswap_tests::{Package, Session};

use super::{end, live, serve};

const STATION: &str = "examples/with-tonic/src/station.rs";

#[test]
fn tonic_keeps_its_streams_and_readings() -> Result<()> {
    let package = Package::of_example("with-tonic")?;
    let (mut session, address) = serve(&package, "with-tonic")?;
    let flags = ["-p", "with-tonic", "--bin", "with-tonic-client", "--"];
    let mut arguments = flags.map(str::to_owned).to_vec();
    arguments.push(format!("http://{address}"));
    let mut client = Session::run_plain(&package, &arguments)?;
    client.ask("report oslo 10", "mean of 1: 10.0")?;
    client.ask("watch oslo", "watching oslo")?;
    let report = |session: &mut Session, degrees: &str, lines: [&str; 2]| -> Result<()> {
        session.send(&format!("report oslo {degrees}"))?;
        let mut heard = [session.line()?, session.line()?];
        // The answer and the stream are not ordered.
        heard.sort_by_key(|line| !line.starts_with("mean"));
        session.ensure(heard == lines, || format!("{heard:?}, not {lines:?}"))
    };
    report(
        &mut client,
        "20",
        ["mean of 2: 15.0", "oslo has 20.0 degrees"],
    )?;
    package.edit(
        STATION,
        "{city} has {degrees:.1} degrees",
        "{degrees:.0} in {city}",
    )?;
    live(&mut session)?;
    report(&mut client, "30", ["mean of 3: 20.0", "30 in oslo"])?;
    package.edit(STATION, "mean of {}: {mean:.1}", "mean {mean:.2} of {}")?;
    live(&mut session)?;
    report(&mut client, "40", ["mean 25.00 of 4", "40 in oslo"])?;
    client.quit()?;
    end(session)
}
