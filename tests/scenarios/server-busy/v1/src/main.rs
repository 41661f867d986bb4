//! A server that is in a handler when a swap comes.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Init, Options, spawn, whereis};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Migrate)]
pub struct Worker {
    done: u32,
}

#[hotswap::server]
impl hotswap::Server for Worker {
    type Call = ();
    type Reply = u32;
    type Cast = ();

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { done: 0 })
    }

    fn handle_call(&mut self, (): (), _: &mut Context<'_, Self>) -> u32 {
        self.done += 1;
        self.done
    }

    fn handle_cast(&mut self, (): (), _: &mut Context<'_, Self>) {
        println!("working");
        let goes_on = GOES_ON.lock().unwrap_or_else(PoisonError::into_inner).take();
        goes_on.expect("it is there").recv().expect("a word");
        self.done += 10;
    }
}

static GOES_ON: Mutex<Option<Receiver<()>>> = Mutex::new(None);

fn main() {
    let mut limits = hotswap::SwapLimits::default();
    limits.guards = Duration::from_millis(100);
    hotswap::set_swap_limits(limits);
    let slow = Options::new().name("slow").spawn::<Worker>(()).expect("it starts");
    let mut goes_on: Option<Sender<()>> = None;
    for line in io::stdin().lines() {
        match line.as_deref() {
            Ok("work") => {
                let (sender, receiver) = channel();
                *GOES_ON.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
                goes_on = Some(sender);
                slow.cast(()).expect("sent");
            }
            Ok("end") => {
                goes_on.take().expect("it works").send(()).expect("it waits");
                println!("{}", ask());
            }
            _ => println!("{}", other()),
        }
    }
}

#[hotswap::entry]
fn ask() -> String {
    let slow = whereis::<Worker>("slow").expect("it runs");
    slow.call_within(LIMIT, ()).expect("a reply").to_string()
}

/// Others of its type go on.
#[hotswap::entry]
fn other() -> String {
    let other = spawn::<Worker>(()).expect("it starts");
    let reply = other.call_within(LIMIT, ()).expect("a reply");
    other.stop(LIMIT).expect("it ends");
    format!("other {reply}")
}
