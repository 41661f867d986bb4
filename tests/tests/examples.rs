//! The examples, edited as their texts say.

mod actix;
mod actors;
mod arena;
mod bevy;
mod chat;
mod counter;
mod egui;
mod greeter;
pub mod http;
mod lines;
mod pool;
mod sqlx;
mod tonic;
mod web;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session};

/// How long a peer may take to answer.
const DEADLINE: Duration = Duration::from_secs(600);

/// Starts an example that serves at an address, and gives the address.
fn serve(package: &Package, name: &str) -> Result<(Session, String)> {
    let mut session = Session::run(package, &["-p", name, "--", "127.0.0.1:0"])?;
    let line = session.line()?;
    let address = line.strip_prefix("listening on ").context("no address")?;
    let address = address.trim_start_matches("http://").to_owned();
    Ok((session, address))
}

/// Takes lines until one fulfils a condition.
fn line_that(session: &mut Session, condition: impl Fn(&str) -> bool) -> Result<String> {
    loop {
        let line = session.line()?;
        if condition(&line) {
            return Ok(line);
        }
    }
}

/// Waits for the swap that answers an edit. In the examples nothing that is edited stays old.
fn live(session: &mut Session) -> Result<()> {
    let swapped = session.await_swapped()?;
    let old = swapped.field_has("still_old", &[]);
    ensure!(!old, "something stays old: {swapped}");
    Ok(())
}

/// The examples run until they are ended.
fn end(session: Session) -> Result<()> {
    session.signal(session.pid()?, rustix::process::Signal::TERM)?;
    session.exits(143)
}
