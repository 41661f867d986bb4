//! Servers as an ordinary library: without the tool nothing is ever swapped.

mod ends;
mod messages;
mod outside;
mod tasks;
mod work;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Down, Handle, Init, Reason};

/// Longer than anything takes that is waited for.
const LONG: Duration = Duration::from_secs(120);

/// A test that suspends all servers would disturb the others, so they run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value whose life is counted.
#[derive(Debug)]
struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(alive: &'static AtomicUsize) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(alive)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a test's server is asked.
#[derive(Migrate)]
enum Ask {
    /// Replies with all that was heard.
    Heard,
    Panic(String),
    /// Tells that it is there, and waits.
    Block(Mutex<Sender<()>>, Mutex<Receiver<()>>),
    /// Asks another one.
    Other(Handle<Talker>),
    Carry(Counted),
}

impl Migrate for Counted {
    fn schema() -> &'static hotswap::__private::v0_1_0::Schema {
        const { &hotswap::__private::v0_1_0::Schema::opaque::<Self>() }
    }
}

#[derive(Migrate)]
enum Tell {
    Word(String),
    Finish,
    Fail,
    Stop,
    Monitor(Handle<Talker>),
    Carry(#[expect(dead_code, reason = "only its life counts")] Counted),
}

/// What it is started with.
#[derive(Migrate, Clone, Default)]
struct Setup {
    first: Vec<String>,
    fails: bool,
    /// Hears why it ends.
    ends: Option<Sender<Reason>>,
}

/// A server that does what it is told.
#[derive(Migrate, Debug)]
struct Talker {
    heard: Vec<String>,
    ends: Option<Sender<Reason>>,
}

#[hotswap::server]
impl hotswap::Server for Talker {
    type Args = Setup;
    type Call = Ask;
    type Reply = Vec<String>;
    type Cast = Tell;
    type Info = u8;

    fn init(setup: Setup, _: &mut Context<'_, Self>) -> Init<Self> {
        let Setup { first, fails, ends } = setup;
        if fails {
            return Err("told to fail".into());
        }
        Ok(Self { heard: first, ends })
    }

    fn handle_call(&mut self, ask: Ask, context: &mut Context<'_, Self>) -> Vec<String> {
        match ask {
            Ask::Heard => {}
            Ask::Panic(message) => panic!("{message}"),
            Ask::Block(there, end) => {
                let _ = there.lock().unwrap().send(());
                let _ = end.lock().unwrap().recv();
            }
            Ask::Other(other) => {
                let same = other == context.handle();
                self.heard.push(match other.call_within(LONG, Ask::Heard) {
                    Ok(words) => format!("{} words", words.len()),
                    Err(error) => format!("{error}, the same {same}"),
                });
            }
            Ask::Carry(carried) => drop(carried),
        }
        self.heard.clone()
    }

    fn handle_cast(&mut self, tell: Tell, context: &mut Context<'_, Self>) {
        match tell {
            Tell::Word(word) => self.heard.push(word),
            Tell::Finish => context.finish(),
            Tell::Fail => context.fail("told to"),
            Tell::Stop => context.handle().stop(LONG).unwrap(),
            Tell::Monitor(other) => context.monitor(other),
            Tell::Carry(_) => {}
        }
    }

    fn handle_info(&mut self, number: u8, _: &mut Context<'_, Self>) {
        self.heard.push(number.to_string());
    }

    fn handle_down(&mut self, down: Down, _: &mut Context<'_, Self>) {
        let name = down.name.unwrap_or_default();
        self.heard.push(format!("down {name}: {}", down.reason));
    }

    fn terminate(&mut self, reason: &Reason) {
        if let Some(ends) = &self.ends {
            let _ = ends.send(reason.clone());
        }
    }
}

/// A server that is in a handler until this is dropped.
struct Blocked(#[expect(dead_code, reason = "the handler ends with it")] Sender<()>);

fn block(talker: Handle<Talker>) -> (Blocked, hotswap::server::Pending<Talker>) {
    let (there, is_there) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel();
    let pending = talker.ask(Ask::Block(Mutex::new(there), Mutex::new(ends)));
    is_there.recv().unwrap();
    (Blocked(end), pending.unwrap())
}

fn talker() -> Handle<Talker> {
    hotswap::server::spawn(Setup::default()).unwrap()
}
