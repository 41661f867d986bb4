//! Actors of a framework: messages on new code, a state whose type changes, and a new start.

use anyhow::{Result, ensure};
use hotswap_tests::Package;

use super::{end, line_that, lines::Client, live, serve};

const ACCOUNT: &str = "examples/actors/src/account.rs";
const BANK: &str = "examples/actors/src/bank.rs";

#[test]
fn actors_keep_mailboxes_and_state() -> Result<()> {
    let package = Package::of_example("actors")?;
    let (mut session, address) = serve(&package, "actors")?;
    let mut client = Client::connect(&address)?;
    client.asks("ann add 5", "ann has 5")?;
    client.asks("bob add 7", "bob has 7")?;
    package.edit(ACCOUNT, "{name} has {}", "{name} owns {}")?;
    live(&mut session)?;
    client.asks("ann add 1", "ann owns 6")?;

    // The same actors, with a state of another type.
    let field = "balance: u64,\n    #[migrate(default = 1)]\n    orders: u64,";
    package.edit(ACCOUNT, "balance: u64,", field)?;
    live(&mut session)?;
    let both = "owns {} after {} orders\", account.balance, account.orders";
    package.edit(ACCOUNT, "owns {}\", account.balance", both)?;
    live(&mut session)?;
    client.asks("ann show", "ann owns 6 after 1 orders")?;

    // The supervisor starts one again, on the code that is current, and decides by it.
    package.edit(BANK, "{name} failed: {why}", "{name} starts again: {why}")?;
    live(&mut session)?;
    client.asks("bob fail", "bob has failed")?;
    let told = line_that(&mut session, |line| line.starts_with("bob "))?;
    ensure!(told == "bob starts again: it was told to fail", "{told}");
    client.asks("bob show", "bob owns 0 after 0 orders")?;
    client.asks("ann add 1", "ann owns 7 after 1 orders")?;
    end(session)
}
