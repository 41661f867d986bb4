//! Statics that say what becomes of them when their initialisers are edited.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use hotswap::hotswap;

#[hotswap(keep)]
static KEPT: AtomicU32 = AtomicU32::new(10);

#[hotswap(keep)]
static NAME: Mutex<&str> = Mutex::new("first");

#[hotswap(new)]
static FRESH: AtomicU32 = AtomicU32::new(10);

#[hotswap(new)]
static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| vec![1, 2]);

static PLAIN: AtomicU32 = AtomicU32::new(10);

static WIDE: AtomicU64 = AtomicU64::new(10);

thread_local! {
    #[hotswap(new)]
    static LOCAL: Cell<u32> = const { Cell::new(10) };
    #[hotswap(keep)]
    static STAYS: Cell<u32> = const { Cell::new(10) };
}

fn main() {
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "old" => println!("{}, {}", FRESH.load(Ordering::Relaxed), TABLE.len()),
            _ => println!("{}", tick()),
        }
    }
}

fn add(count: &AtomicU32) -> u32 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}

fn step(count: &Cell<u32>) -> u32 {
    count.set(count.get() + 1);
    count.get()
}

#[hotswap::entry]
fn tick() -> String {
    #[hotswap(new)]
    static INNER: AtomicU32 = AtomicU32::new(10);
    let wide = WIDE.fetch_add(1, Ordering::Relaxed) + 1;
    format!(
        "kept {} {}, fresh {} {:?} {}, plain {} {wide}, local {} {}",
        add(&KEPT),
        NAME.lock().unwrap(),
        add(&FRESH),
        *TABLE,
        add(&INNER),
        add(&PLAIN),
        LOCAL.with(step),
        STAYS.with(step)
    )
}
