//! Tool, program, disk and clock fail in the middle of it: afterwards the program runs exactly the old code or exactly
//! the new, and what comes next finds nothing half done.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Result, anyhow, bail, ensure};
use hotswap_protocol::frame;
use hotswap_protocol::message::{PROTOCOL, Request, Response};
use hotswap_protocol::patch::order::{PatchOrder, PatchReport};
use hotswap_tests::{COMMAND, Wire, with_disk};
use serde_json::{Value, json};

use super::{Server, hostile, launch, text};

/// `patch` makes greetings log; the program has none.
pub(super) fn exactly_the_old_or_the_new(server: &mut Server, patch: &Path) -> Result<()> {
    let patch = fs::read(patch)?;
    let sent = all_that_is_sent(&patch)?;
    the_tool_dies(server, &patch, &sent)?;
    the_program_dies(server, &patch, &sent)?;
    the_clock_is_set_back(server, &patch)?;
    the_disk_is_full(server, &patch)
}

/// What a tool sends to have a file applied, and how long its order is.
struct Sent {
    order: usize,
    bytes: Vec<u8>,
}

fn all_that_is_sent(file: &[u8]) -> Result<Sent> {
    let order = apply(file);
    let mut bytes = frame::encode(&Request::Patch { order })?;
    let order = bytes.len();
    bytes.extend(file);
    Ok(Sent { order, bytes })
}

impl Sent {
    /// Where a tool may have come to when it was killed.
    fn ends(&self) -> [usize; 8] {
        let (order, all) = (self.order, self.bytes.len());
        let in_file = (order + all) / 2;
        [0, 1, order / 2, order, order + 1, in_file, all - 1, all]
    }

    /// Sends so much of it.
    fn send(&self, server: &Server, end: usize) -> Result<Wire> {
        let mut wire = Wire::open(server.child.id())?;
        wire.greet(PROTOCOL)?;
        wire.0.write_all(&self.bytes[..end])?;
        Ok(wire)
    }
}

/// The kernel closes what a killed process had open: that is all that the program sees of it.
fn the_tool_dies(server: &Server, patch: &[u8], sent: &Sent) -> Result<()> {
    let [partly @ .., all] = sent.ends();
    for end in partly {
        drop(sent.send(server, end)?);
        is_old(server, &format!("Cut{end}"))?;
    }
    takes_it_and_goes_back(server, patch)?;
    // From here on it may be applied, before or after anything that others ask for.
    drop(sent.send(server, all)?);
    let list = done(server, PatchOrder::List {}, &[])?;
    ensure!(list.applied.len() <= 1, "{list:?}");
    Ok(())
}

/// Whatever was sent, a program that starts again has no patch, and its log tells of whole acts.
fn the_program_dies(server: &mut Server, patch: &[u8], sent: &Sent) -> Result<()> {
    fs::remove_file(&server.audit)?;
    server.start_again()?;
    for end in sent.ends() {
        let wire = sent.send(server, end)?;
        if end == sent.bytes.len() {
            // In the middle of it, or just after.
            while !fs::read_to_string(&server.audit)?.contains("\"begun\"") {
                thread::yield_now();
            }
        }
        server.start_again()?;
        drop(wire);
        is_old(server, &format!("Killed{end}"))?;
    }
    // What may have been applied counts as applied: nothing older comes after it.
    let older = hostile::changed(patch, |text| text["sequence"] = json!(0))?;
    refused(server, &older, "patch-replayed")?;
    takes_it_and_goes_back(server, patch)
}

fn the_clock_is_set_back(server: &mut Server, patch: &[u8]) -> Result<()> {
    const IN_2099: u64 = 4_070_908_800;
    let late = hostile::changed(patch, |text| text["not_after"] = json!(IN_2099))?;
    takes_it_and_goes_back(server, &late)?;
    let mut log = fs::read_to_string(&server.audit)?;
    log += &format!("{{\"time_ms\":{}}}\n", (IN_2099 + 1) * 1000);
    fs::write(&server.audit, log)?;
    server.start_again()?;
    refused(server, &late, "patch-expired")?;
    fs::remove_file(&server.audit)?;
    Ok(())
}

/// The log is on a disk of a few pages.
fn the_disk_is_full(server: &mut Server, patch: &[u8]) -> Result<()> {
    let folder = server.package.root.join("small");
    fs::create_dir_all(&folder)?;
    let Some(mut inside) = with_disk(&folder, "size=16k", COMMAND) else {
        return Ok(());
    };
    inside.arg(&server.executable);
    let audit = folder.join("audit.log");
    server.end()?;
    (server.child, server.address) = launch(inside, &server.log, &audit)?;
    let mut is_applied = false;
    let refusal = loop {
        let outcome = match is_applied {
            false => ask(server, apply(patch), patch)?,
            true => ask(server, PatchOrder::Revert { digest: None }, &[])?,
        };
        match outcome {
            Ok(_) => is_applied = !is_applied,
            Err(refusal) => break refusal,
        }
    };
    ensure!(refusal == "audit-failed", "{refusal}");
    // It did not do what it could not write down.
    let list = done(server, PatchOrder::List {}, &[])?;
    ensure!(list.applied.len() == usize::from(is_applied), "{list:?}");
    server.greets("Full", is_applied)?;
    let log = PathBuf::from(format!("/proc/{}/root{}", server.child.id(), text(&audit)?));
    let told = fs::read_to_string(&log)?;
    let lines: Vec<Value> = told.lines().flat_map(serde_json::from_str).collect();
    ensure!(
        lines.len() + 1 >= told.lines().count(),
        "more than the last line is cut off: {told}"
    );
    // Somebody makes room.
    fs::File::options().write(true).open(&log)?.set_len(0)?;
    let back = done(server, PatchOrder::Revert { digest: None }, &[])?;
    ensure!(back.changed == is_applied, "{back:?}");
    takes_it_and_goes_back(server, patch)
}

/// It runs the old code.
fn is_old(server: &Server, name: &str) -> Result<()> {
    let list = done(server, PatchOrder::List {}, &[])?;
    ensure!(list.applied.is_empty(), "{name}: {list:?}");
    server.greets(name, false)
}

/// The next one who applies it finds nothing that is in the way.
fn takes_it_and_goes_back(server: &Server, patch: &[u8]) -> Result<()> {
    let version = done(server, apply(patch), patch)?.version;
    server.greets(&format!("New{version}"), true)?;
    let back = done(server, PatchOrder::Revert { digest: None }, &[])?;
    ensure!(back.changed && back.applied.is_empty(), "{back:?}");
    server.greets(&format!("Old{version}"), false)
}

fn apply(file: &[u8]) -> PatchOrder {
    PatchOrder::Apply {
        bytes: file.len() as u64,
        ttl_ms: None,
        dry_run: false,
    }
}

/// Has the program do something, without the tool. It does it, or the result is its refusal's name.
fn ask(
    server: &Server,
    order: PatchOrder,
    file: &[u8],
) -> Result<std::result::Result<PatchReport, String>> {
    let mut wire = Wire::open(server.child.id())?;
    wire.greet(PROTOCOL)?;
    frame::write(&mut wire.0, &Request::Patch { order })?;
    wire.0.write_all(file)?;
    match frame::read(&mut wire.0)? {
        Response::Patched(report) => Ok(Ok(*report)),
        Response::Error { code, .. } => Ok(Err(code.name())),
        other => bail!("{other:?}"),
    }
}

fn done(server: &Server, order: PatchOrder, file: &[u8]) -> Result<PatchReport> {
    ask(server, order, file)?.map_err(|refusal| anyhow!("refused: {refusal}"))
}

fn refused(server: &Server, file: &[u8], expected: &str) -> Result<()> {
    let outcome = ask(server, apply(file), file)?;
    let refusal = outcome.as_ref().err().map(String::as_str);
    ensure!(refusal == Some(expected), "{expected}: {outcome:?}");
    Ok(())
}
