//! A server that is suspended while messages wait for it.

use std::io;
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, whereis};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Migrate)]
pub struct Ledger {
    lines: Vec<String>,
    #[migrate(default = 5)]
    worth: u16,
}

#[derive(Migrate)]
pub struct Ask {
    #[migrate(was = "about")]
    of: String,
    #[migrate(default = 9)]
    weight: u64,
}

#[derive(Migrate)]
pub enum Note {
    Loud { #[migrate(default = 2)] times: u8, text: String },
}

#[derive(Migrate)]
pub struct Answer {
    lines: usize,
    #[migrate(default = true)]
    polite: bool,
}

#[derive(Migrate)]
pub struct Tick(#[migrate(with = double)] u32);

fn double(tick: &u8) -> u32 {
    u32::from(*tick) * 2
}

#[hotswap::server]
impl hotswap::Server for Ledger {
    type Call = Ask;
    type Reply = Answer;
    type Cast = Note;
    type Info = Tick;

    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { lines: Vec::new(), worth: 0 })
    }

    fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> Answer {
        self.lines.push(format!("{} {}", ask.of, ask.weight));
        Answer { lines: self.lines.len(), polite: true }
    }

    fn handle_cast(&mut self, note: Note, _: &mut Context<'_, Self>) {
        let Note::Loud { text, times } = note;
        self.lines.push(format!("{text}!{times}"));
    }

    fn handle_info(&mut self, Tick(number): Tick, _: &mut Context<'_, Self>) {
        self.lines.push(format!("tick {number}"));
    }
}

fn main() {
    let ledger = hotswap::server::Options::new().name("ledger");
    let ledger = ledger.spawn::<Ledger>(()).expect("it starts");
    let mut caller = None;
    for line in io::stdin().lines() {
        let line = line.expect("a line");
        match line.as_str() {
            // The first version's code calls, and waits for its reply.
            "call" => {
                caller = Some(thread::spawn(move || old_call(ledger)));
                wait_for_mail(ledger, 4);
                println!("called");
            }
            "reply" => {
                let caller = caller.take().expect("it was called");
                println!("{}", caller.join().expect("no panic"));
            }
            "call-now" => println!("{}", old_call(ledger)),
            _ => println!("{}", answer(&line)),
        }
    }
}

fn old_call(ledger: Handle<Ledger>) -> String {
    let of = "ask".to_owned();
    match ledger.call_within(LIMIT, Ask { of, weight: 1 }) {
        Ok(Answer { lines, .. }) => format!("replied {lines}"),
        Err(error) => format!("no reply: {}", error.to_string().contains("expects another")),
    }
}

fn wait_for_mail(ledger: Handle<Ledger>, count: usize) {
    while ledger.status().is_none_or(|status| status.waiting != count) {
        thread::yield_now();
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let ledger = whereis::<Ledger>("ledger").expect("it runs");
    match line {
        "suspend" => {
            ledger.suspend(LIMIT).expect("it is idle");
            let text = "hear".to_owned();
            ledger.cast(Note::Loud { text, times: 3 }).expect("sent");
            ledger.info(Tick(3)).expect("sent");
            "suspended".to_owned()
        }
        _ => {
            ledger.resume();
            wait_for_mail(ledger, 0);
            let lines = |ledger: &mut Ledger| format!("{} {}", ledger.worth, ledger.lines.join(", "));
            ledger.with_state(LIMIT, lines).expect("it has a state")
        }
    }
}
