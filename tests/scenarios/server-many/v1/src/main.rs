//! A thousand servers that are called all the time, some of which call others of their own type.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, Options};

const SERVERS: usize = 1000;
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Migrate)]
pub struct Cell {
    /// Which one it is.
    number: u64,
    count: u64,
    next: Option<Handle<Cell>>,
}

#[derive(Migrate)]
pub enum Ask {
    Add,
    /// Adds to the next one.
    Pass,
    Tell,
}

#[hotswap::server]
impl hotswap::Server for Cell {
    type Args = (u64, Option<Handle<Cell>>);
    type Call = Ask;
    type Reply = (u64, u64);

    fn init(
        (number, next): (u64, Option<Handle<Cell>>),
        _: &mut Context<'_, Self>,
    ) -> Init<Self> {
        Ok(Self { number, count: 0, next })
    }

    fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> (u64, u64) {
        match (ask, self.next) {
            (Ask::Add, _) => self.count += 1,
            (Ask::Pass, Some(next)) => return next.call_within(LIMIT, Ask::Add).expect("a reply"),
            _ => {}
        }
        (self.number, self.count)
    }
}

static END: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Calls every server in turn, and checks each reply. Gives how often each one was to add.
fn client(cells: &[Handle<Cell>]) -> (u64, u64) {
    let (mut rounds, mut wrong) = (0, 0);
    while !END.load(Ordering::SeqCst) {
        for (number, cell) in cells.iter().enumerate() {
            let expected = (number as u64, rounds + 1);
            let right = match number.checked_sub(1) {
                // Every third is reached by the one before.
                Some(before) if number % 3 == 2 => cells[before].call_within(LIMIT, Ask::Pass),
                _ => cell.call_within(LIMIT, Ask::Add),
            };
            wrong += u64::from(right != Ok(expected));
            CALLS.fetch_add(1, Ordering::SeqCst);
        }
        rounds += 1;
    }
    (rounds, wrong)
}

fn wait_for(more: u64) {
    let end = CALLS.load(Ordering::SeqCst) + more;
    while CALLS.load(Ordering::SeqCst) < end {
        thread::yield_now();
    }
}

fn main() {
    let mut cells: Vec<Handle<Cell>> = Vec::new();
    for number in (0..SERVERS as u64).rev() {
        let args = (number, cells.last().copied());
        let options = Options::new().stack_size(256 * 1024);
        cells.push(options.spawn::<Cell>(args).expect("it starts"));
    }
    cells.reverse();
    let theirs = cells.clone();
    let client = thread::spawn(move || client(&theirs));
    for line in io::stdin().lines() {
        if line.is_ok_and(|line| line == "end") {
            break;
        }
        wait_for(500);
        println!("goes on");
    }
    END.store(true, Ordering::SeqCst);
    let (rounds, wrong) = client.join().expect("no panic");
    let told = |cell: &Handle<Cell>| cell.call_within(LIMIT, Ask::Tell).expect("a reply");
    let right = cells.iter().filter(|cell| told(cell).1 == rounds).count();
    println!("{wrong} wrong, {right} right{}", extras(&cells));
    for _ in io::stdin().lines() {}
}

#[hotswap::entry]
fn extras(_: &[Handle<Cell>]) -> String {
    String::new()
}
