//! Threads: work that stands in the queue at a swap, and work that is under way.

use anyhow::{Result, ensure};
use hotswap_tests::Package;

use super::{end, lines::Client, live, serve};

const MAIN: &str = "examples/pool/src/main.rs";

#[test]
fn pool_begins_work_of_the_queue_on_new_code() -> Result<()> {
    let package = Package::of_example("pool")?;
    let (mut session, address) = serve(&package, "pool")?;
    let mut served = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(&address)?;
        let welcome = client.hear()?;
        ensure!(welcome.starts_with("welcome to thread "), "{welcome}");
        served.push(client);
    }
    // All threads are taken.
    let mut queued = Client::connect(&address)?;
    let [first, second, ..] = &mut served[..] else {
        unreachable!("there are four");
    };
    first.asks("set a 1", "ok")?;
    second.say("wait b")?;
    package.edit(MAIN, "\"welcome to thread {}\"", "\"thread {} greets you\"")?;
    live(&mut session)?;
    package.edit(MAIN, "here it is: {}", "here you are: {}")?;
    live(&mut session)?;
    first.asks("get a", "1")?;
    first.asks("set b 2", "ok")?;
    // It began to wait in the old version, and ends there; its next line is new.
    second.hears("here it is: 2")?;
    second.asks("wait b", "here you are: 2")?;
    drop(served);
    let greeting = queued.hear()?;
    ensure!(greeting.ends_with(" greets you"), "{greeting}");
    queued.asks("wait a", "here you are: 1")?;
    end(session)
}
