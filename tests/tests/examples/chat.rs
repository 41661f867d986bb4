//! tokio: connections live longer than versions, and so does what was said.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Result, ensure};
use hotswap_tests::Package;

use super::{end, lines::Client, live, serve};

const MAIN: &str = "examples/chat/src/main.rs";
const HALL: &str = "examples/chat/src/hall.rs";

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
    package.edit(MAIN, "{name} answers: {answer}", "{name} replies: {answer}")?;
    live(&mut session)?;
    package.edit(HALL, "\"{name}: {line}\"", "\"{name} says {line}\"")?;
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

/// What becomes of the state: a field is added, one is renamed, one gets another type.
const CHANGES: [(&str, &str); 5] = [
    (
        "        who: name.clone(),\n",
        "        name: name.clone(),\n        stars: 1,\n",
    ),
    (
        "    who: String,\n    text: String,\n",
        "    #[migrate(was = \"who\")]\n    name: String,\n    text: String,\n    \
         #[migrate(default = 1)]\n    stars: u32,\n",
    ),
    (
        "    entered: u64,\n",
        "    #[migrate(was = \"entered: u64\")]\n    entered: i128,\n",
    ),
    (
        "    let id = hall.entered;\n",
        "    let id = u64::try_from(hall.entered).unwrap_or_default();\n",
    ),
    (
        "&format!(\"{} said {}\", said.who, said.text)",
        "&format!(\"{} said {} {}\", said.name, said.text, \"*\".repeat(said.stars as usize))",
    ),
];

/// Has one client say lines that the other hears, until it is enough and some more; how many it were.
fn talk(
    mut alice: Client,
    mut bob: Client,
    enough: Arc<AtomicBool>,
) -> JoinHandle<Result<(Client, Client, usize)>> {
    thread::spawn(move || {
        let (mut lines, mut more) = (0, 100);
        while more > 0 {
            alice.say(&format!("line {lines}"))?;
            bob.hears(&format!("alice: line {lines}"))?;
            lines += 1;
            more -= usize::from(enough.load(Relaxed));
        }
        Ok((alice, bob, lines))
    })
}

#[test]
fn chat_carries_its_rooms_over_while_clients_talk() -> Result<()> {
    let package = Package::of_example("chat")?;
    let (mut session, address) = serve(&package, "chat")?;
    let mut alice = enter(&address, "alice")?;
    let mut bob = enter(&address, "bob")?;
    alice.asks("/join den", "you are in den")?;
    bob.asks("/join den", "you are in den")?;
    alice.say("one")?;
    bob.hears("alice: one")?;
    let mut hall = fs::read_to_string(package.root.join(HALL))?;
    for (from, to) in CHANGES {
        ensure!(hall.contains(from), "no {from:?}");
        hall = hall.replace(from, to);
    }
    // Nobody stops talking for it. Whatever version handles a line, it is told and kept.
    let enough = Arc::new(AtomicBool::new(false));
    let talk = talk(alice, bob, Arc::clone(&enough));
    package.write(HALL, hall.as_bytes())?;
    let swapped = session.await_swapped()?;
    enough.store(true, Relaxed);
    let (_alice, mut bob, lines) = talk.join().expect("it ends by itself")?;
    ensure!(swapped.has(&["chat::hall::HALL".to_owned()]), "{swapped}");
    bob.asks("/history", "alice said one *")?;
    for line in 0..lines {
        bob.hears(&format!("alice said line {line} *"))?;
    }
    // Numbers go on where they were.
    let mut carol = enter(&address, "carol")?;
    carol.asks("/who", "here: carol")?;
    end(session)
}
