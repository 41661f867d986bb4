//! Allocates, panics, makes trait objects and starts threads all the time, in code that is replaced.

use std::fs;
use std::hint::black_box;
use std::panic;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

trait Shape: Send {
    fn area(&self) -> u64;
}

struct Square(u64);

impl Shape for Square {
    fn area(&self) -> u64 {
        self.0 * self.0 + text().len() as u64
    }
}

struct Line;

impl Shape for Line {
    fn area(&self) -> u64 {
        text().len() as u64
    }
}

fn text() -> &'static str {
    "text 0"
}

/// Numbers that look like addresses: those of all that the kernel would map next.
static LEFT: OnceLock<Vec<usize>> = OnceLock::new();

/// Leaves them as a program does in which much was mapped and is there no longer.
fn leave_addresses() {
    const MOST: usize = 64 << 20;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().map(|line| {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        [start, end].map(|text| usize::from_str_radix(text, 16).unwrap())
    });
    let mut left = Vec::new();
    let mut last_end = 0;
    // What libraries, stacks and buffers lie in, one below the other.
    for [start, end] in ranges.filter(|[start, _]| *start > 0x7000_0000_0000) {
        left.extend((last_end.max(start - MOST)..start).step_by(4096));
        last_end = end;
    }
    LEFT.get_or_init(|| left);
}

/// Forbids to track writes, as container engines do.
fn forbid_tracking() {
    /// One step of a filter: what it does, how far it jumps if so and if not, and a number.
    #[repr(C)]
    struct Step(u16, u8, u8, u32);

    #[repr(C)]
    struct Filter {
        length: u16,
        steps: *const Step,
    }

    unsafe extern "C" {
        fn prctl(what: i32, value: usize, more: usize, other: usize, last: usize) -> i32;
        fn syscall(number: i64, what: usize, flags: usize, filter: *const Filter) -> i64;
    }

    const USERFAULTFD: u32 = 323;
    const NOT_PERMITTED: u32 = 0x5_0000 | 1;
    const ALLOWED: u32 = 0x7fff_0000;
    let steps = [
        // The number of the call; is it this one?
        Step(0x20, 0, 0, 0),
        Step(0x15, 0, 1, USERFAULTFD),
        Step(0x06, 0, 0, NOT_PERMITTED),
        Step(0x06, 0, 0, ALLOWED),
    ];
    let filter = Filter {
        length: steps.len() as u16,
        steps: steps.as_ptr(),
    };
    // SAFETY: the kernel copies the filter; it is for all threads, and nothing else in the program makes such a call.
    let outcome = unsafe {
        const NO_NEW_PRIVILEGES: i32 = 38;
        const SECCOMP: i64 = 317;
        prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0);
        syscall(SECCOMP, 1, 1, &filter)
    };
    assert_eq!(outcome, 0, "no filter");
}

static ROUNDS: AtomicU64 = AtomicU64::new(0);

#[hotswap::entry]
fn work(round: u64) -> u64 {
    let shapes: Vec<Box<dyn Shape>> = (0..round % 40)
        .map(|side| match side % 3 {
            0 => Box::new(Line) as Box<dyn Shape>,
            _ => Box::new(Square(side)),
        })
        .collect();
    let names: Vec<&'static str> = shapes.iter().map(|_| text()).collect();
    let functions: Vec<fn() -> &'static str> = vec![text; round as usize % 20];
    let mut all = shapes.iter().map(|shape| shape.area()).sum::<u64>();
    all += black_box(names).len() as u64;
    all += functions.iter().map(|function| function().len() as u64).sum::<u64>();
    if round.is_multiple_of(64) {
        let caught = panic::catch_unwind(|| panic!("{}", text()));
        all += u64::from(caught.is_err());
    }
    if round.is_multiple_of(256) {
        let joined = thread::spawn(move || Square(round).area()).join();
        all += joined.unwrap();
    }
    all
}

#[hotswap::entry]
fn answer() -> String {
    text().to_owned()
}

fn main() {
    // The machine may be busy.
    hotswap::set_purge_budget(Duration::from_secs(20));
    panic::set_hook(Box::new(|_| ()));
    if std::env::args().any(|it| it == "filtered") {
        forbid_tracking();
    }
    leave_addresses();
    for _ in 0..4 {
        thread::spawn(|| {
            loop {
                let round = ROUNDS.fetch_add(1, Ordering::Relaxed);
                black_box(work(round));
                if round.is_multiple_of(16) {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
    }
    println!("ready");
    for line in std::io::stdin().lines() {
        println!("{} {}", line.unwrap(), answer());
    }
}
