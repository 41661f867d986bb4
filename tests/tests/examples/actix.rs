//! actix-web: two workers, whose handlers need not be `Send`.

use anyhow::{Result, ensure};
use hotswap_tests::Package;

use super::{
    http::{Answer, Connection},
    live, serve,
};

const HANDLERS: &str = "examples/with-actix/src/handlers.rs";

#[test]
fn actix_keeps_links_and_connections() -> Result<()> {
    let package = Package::of_example("with-actix")?;
    let (mut session, address) = serve(&package, "with-actix")?;
    // A connection for each worker. actix waits for the first request for so long only.
    let mut first = Connection::open(&address)?;
    first.gives("POST /links", "https://example.org", "/0")?;
    let mut second = Connection::open(&address)?;
    second.gives("POST /links", "https://example.com", "/1")?;
    let follow = |connection: &mut Connection, location: &str| -> Result<()> {
        let Answer { status, header, .. } = connection.request("GET /0", "")?;
        let location = format!("location: {location}");
        let leads = status == 302 && header.contains(&location);
        ensure!(leads, "{status} {header:?}");
        Ok(())
    };
    follow(&mut first, "https://example.org")?;
    package.edit(HANDLERS, "({followed})", "followed {followed} times")?;
    live(&mut session)?;
    package.edit(
        HANDLERS,
        "(LOCATION, link.as_str())",
        "(LOCATION, format!(\"{link}/new\"))",
    )?;
    live(&mut session)?;
    follow(&mut second, "https://example.org/new")?;
    let list = "/0 https://example.org followed 2 times\n/1 https://example.com followed 0 times";
    for mut connection in [first, second] {
        connection.gives("GET /", "", list)?;
    }
    // It heeds the signal itself: open requests are served, and all is well.
    session.signal(session.pid()?, rustix::process::Signal::TERM)?;
    session.exits(0)
}
