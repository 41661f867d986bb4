//! As many servers as the argument says, that are called all the time, some of which call others of their own type.

use std::env;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, Options};

const CLIENTS: usize = 2;
const LIMIT: Duration = Duration::from_secs(60);

/// Calls of each server before the first swap. The allocator keeps some of the blocks that a thread gives back for that
/// thread alone, up to a number: afterwards memory is what it will be.
const WARM_UP: u64 = 32;

fn text() -> &'static str {
    "text 0"
}

#[derive(Migrate, Default)]
pub struct Cell {
    /// Which one it is.
    number: u64,
    next: Option<Handle<Cell>>,
    count: u64,
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
        Ok(Self {
            number,
            next,
            ..Self::default()
        })
    }

    fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> (u64, u64) {
        match (ask, self.next) {
            (Ask::Add, _) => self.count += text().len() as u64 - 5,
            (Ask::Pass, Some(next)) => return next.call_within(LIMIT, Ask::Add).expect("a reply"),
            _ => {}
        }
        (self.number, self.count)
    }
}

static END: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Calls every server of its own in turn, and checks each reply. Gives how often each one was to add, and how
/// many replies were wrong.
fn client(first: usize, cells: &[Handle<Cell>]) -> (u64, u64) {
    let (mut rounds, mut wrong) = (0, 0);
    while !END.load(Ordering::SeqCst) {
        for (at, cell) in cells.iter().enumerate() {
            let expected = ((first + at) as u64, rounds + 1);
            let reply = match at.checked_sub(1) {
                // Every third is reached by the one before.
                Some(before) if at % 3 == 2 => cells[before].call_within(LIMIT, Ask::Pass),
                _ => cell.call_within(LIMIT, Ask::Add),
            };
            wrong += u64::from(reply != Ok(expected));
            CALLS.fetch_add(1, Ordering::SeqCst);
        }
        rounds += 1;
    }
    (rounds, wrong)
}

/// Waits until so many more calls have been made.
fn wait_for_calls(calls: u64) {
    let end = CALLS.load(Ordering::SeqCst) + calls;
    while CALLS.load(Ordering::SeqCst) < end {
        thread::yield_now();
    }
}

#[hotswap::entry]
fn answer() -> String {
    text().to_owned()
}

fn main() {
    // The machine may be busy.
    hotswap::set_purge_budget(Duration::from_secs(20));
    let mut limits = hotswap::SwapLimits::default();
    limits.guards = Duration::from_secs(60);
    hotswap::set_swap_limits(limits);
    // A few while the patches are made.
    let servers = env::args().nth(1).map_or(10, |text| text.parse().unwrap());
    let mut cells: Vec<Handle<Cell>> = Vec::new();
    for number in (0..servers as u64).rev() {
        let args = (number, cells.last().copied());
        let options = Options::new().stack_size(256 * 1024);
        cells.push(options.spawn::<Cell>(args).expect("it starts"));
    }
    cells.reverse();
    let each = servers / CLIENTS;
    let clients: Vec<_> = cells
        .chunks(each)
        .enumerate()
        .map(|(at, cells)| {
            let cells = cells.to_vec();
            thread::spawn(move || client(at * each, &cells))
        })
        .collect();
    wait_for_calls(WARM_UP * servers as u64);
    println!("ready");
    let lines = io::stdin().lines().map(Result::unwrap);
    for line in lines.take_while(|line| line != "end") {
        // Some replies of this version.
        wait_for_calls(20);
        println!("{line} {}", answer());
    }
    END.store(true, Ordering::SeqCst);
    let results = clients.into_iter().map(|client| client.join().unwrap());
    let (mut wrong, mut right) = (0, 0);
    for ((rounds, failures), cells) in results.zip(cells.chunks(each)) {
        let told = |cell: &Handle<Cell>| cell.call_within(LIMIT, Ask::Tell).expect("a reply");
        right += cells.iter().filter(|cell| told(cell).1 == rounds).count();
        wrong += failures;
    }
    println!("{wrong} wrong, {right} right");
    for _ in io::stdin().lines() {}
}
