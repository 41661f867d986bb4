//! tokio: connections live longer than versions.

use anyhow::Result;
use hotswap_tests::Package;

use super::{end, lines::Client, live, serve};

fn enter(address: &str, name: &str) -> Result<Client> {
    let mut client = Client::connect(address)?;
    client.asks(name, &format!("welcome, {name}"))?;
    Ok(client)
}

#[test]
fn chat_keeps_its_clients_and_their_lines() -> Result<()> {
    let package = Package::of_example("chat")?;
    let (mut session, address) = serve(&package, "chat")?;
    let mut alice = enter(&address, "alice")?;
    let mut bob = enter(&address, "bob")?;
    alice.say("good morning")?;
    bob.hears("alice: good morning")?;
    alice.say("/ask how are you?")?;
    bob.hears("alice asks: how are you?")?;
    let main = "examples/chat/src/main.rs";
    package.edit(main, "{name} answers: {answer}", "{name} replies: {answer}")?;
    live(&mut session)?;
    package.edit(
        "examples/chat/src/room.rs",
        "\"{}: {line}\"",
        "\"{} says {line}\"",
    )?;
    live(&mut session)?;
    bob.say("fine")?;
    // The question was asked in the old version, and ends there; the line itself is new.
    alice.hears("bob says fine")?;
    alice.hears("bob answers: fine")?;
    bob.say("/ask and you?")?;
    alice.hears("bob asks: and you?")?;
    alice.say("well")?;
    bob.hears("alice says well")?;
    bob.hears("alice replies: well")?;
    alice.asks("/who", "here: alice, bob")?;
    end(session)
}
