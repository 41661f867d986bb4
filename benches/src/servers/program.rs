//! Servers that are called all the time, each by a client of its own that notes how long each call took.
//!
//! Arguments: how many servers; milliseconds between two calls of a client, 0 for none; how many tasks that only wait;
//! whether servers are `tasks` or `threads`.

use std::env;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotswap::Migrate;
use hotswap::server::{Context, Handle, Init, Options};
use tokio::time::{Interval, MissedTickBehavior};

fn text() -> &'static str {
    "text 0"
}

#[derive(Migrate, Default)]
pub struct Counter {
    count: u64,
}

#[derive(Migrate)]
pub struct Add;

#[hotswap::server]
impl hotswap::Server for Counter {
    type Call = Add;
    type Reply = u64;

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self::default())
    }

    fn handle_call(&mut self, _: Add, _: &mut Context<'_, Self>) -> u64 {
        self.count += text().len() as u64 - 5;
        self.count
    }
}

/// Calls by the nanoseconds that they took, in steps of less than a hundredth.
static TIMES: [AtomicU32; 64 * STEPS] = [const { AtomicU32::new(0) }; 64 * STEPS];

/// Steps from each power of two to the next.
const STEPS: usize = 128;

/// Where a call counts that took so many nanoseconds.
fn place(nanos: u64) -> usize {
    let shift = nanos.max(STEPS as u64).ilog2() - STEPS.ilog2();
    shift as usize * STEPS + (nanos >> shift) as usize
}

/// The fewest nanoseconds of calls that count there.
fn nanos(place: usize) -> u64 {
    let shift = (place / STEPS).saturating_sub(1);
    ((place - shift * STEPS) as u64) << shift
}

/// Calls that began after this one was raised are noted.
static WINDOW: AtomicU64 = AtomicU64::new(0);

/// Clients that have had a reply to a call that they began after the window was closed.
static AFTER: AtomicU64 = AtomicU64::new(0);

/// Calls at its times, so that clients stay apart from one another however long their calls take; or again and again.
async fn client(counter: Handle<Counter>, mut times: Option<Interval>) {
    let (mut expected, mut told) = (0, 0);
    loop {
        if let Some(times) = &mut times {
            times.tick().await;
        }
        let window = WINDOW.load(Ordering::SeqCst);
        let begun = Instant::now();
        let reply = counter.ask(Add).expect("it is there").await;
        let took = begun.elapsed().as_nanos() as u64;
        expected += 1;
        assert_eq!(reply, Ok(expected), "a call was lost, or answered twice");
        // A window is open while the number is odd.
        if window % 2 == 1 {
            TIMES[place(took)].fetch_add(1, Ordering::Relaxed);
        } else if told < window {
            told = window;
            AFTER.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Closes the window, and tells of the calls that began in it: how many, the time that 99 of 100 took at most, and the
/// longest, in microseconds. All have been answered then.
fn close(clients: u64) -> String {
    AFTER.store(0, Ordering::SeqCst);
    WINDOW.fetch_add(1, Ordering::SeqCst);
    while AFTER.load(Ordering::SeqCst) < clients {
        std::thread::sleep(Duration::from_millis(1));
    }
    let times: Vec<(usize, u64)> = TIMES
        .iter()
        .map(|it| u64::from(it.swap(0, Ordering::SeqCst)))
        .enumerate()
        .filter(|(_, calls)| *calls > 0)
        .collect();
    let all: u64 = times.iter().map(|(_, calls)| calls).sum();
    let (mut seen, mut p99) = (0, 0);
    for (place, calls) in &times {
        if seen * 100 < all * 99 {
            p99 = nanos(*place);
        }
        seen += calls;
    }
    let longest = times.last().map_or(0, |(place, _)| nanos(*place));
    let [p99, longest] = [p99, longest].map(|nanos| nanos as f64 / 1e3);
    format!("{all} {p99} {longest}")
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    format!("{line} {}", text())
}

fn start(is_task: bool, runtime: &tokio::runtime::Handle) -> Handle<Counter> {
    let options = Options::new().stack_size(64 << 10);
    let started = match is_task {
        true => {
            let runtime = runtime.clone();
            options.spawn_on::<Counter>((), move |server| drop(runtime.spawn(server)))
        }
        false => options.spawn::<Counter>(()),
    };
    started.expect("it starts")
}

fn main() {
    // The machine may be busy, and nobody waits for what is purged.
    hotswap::set_purge_budget(Duration::from_secs(20));
    // None of all this while patches are made.
    let argument = |at| env::args().nth(at).unwrap_or_else(|| "0".to_owned());
    let [servers, gap, idle]: [u64; 3] = [1, 2, 3].map(|at| argument(at).parse().unwrap());
    let of = argument(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    for _ in 0..idle {
        runtime.spawn(std::future::pending::<()>());
    }
    let gap = Duration::from_millis(gap);
    let _inside = runtime.enter();
    let begun = tokio::time::Instant::now();
    for number in 0..servers {
        let counter = start(of == "tasks", runtime.handle());
        let times = (!gap.is_zero()).then(|| {
            let first = gap.mul_f64(number as f64 / servers as f64);
            let mut times = tokio::time::interval_at(begun + first, gap);
            times.set_missed_tick_behavior(MissedTickBehavior::Skip);
            times
        });
        runtime.spawn(client(counter, times));
    }
    println!("ready");
    for line in io::stdin().lines().map(Result::unwrap) {
        match line.as_str() {
            "open" => println!("{}", WINDOW.fetch_add(1, Ordering::SeqCst)),
            "close" => println!("{}", close(servers)),
            line => println!("{}", answer(line)),
        }
    }
    // Servers that are tasks would be dropped while their clients call them.
    std::process::exit(0);
}
