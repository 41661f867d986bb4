//! Has more statics, and thread-locals.

use std::{
    cell::{Cell, RefCell},
    io,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

static OLD: AtomicU32 = AtomicU32::new(0);
static NEW: AtomicU32 = AtomicU32::new(0);
static POINTER: Mutex<&str> = Mutex::new("first");

thread_local! {
    static LOCAL: Cell<u32> = const { Cell::new(0) };
    static LAZY: RefCell<Vec<String>> = RefCell::new(Vec::with_capacity(1));
}

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let old = OLD.fetch_add(1, Ordering::Relaxed) + 1;
    let new = NEW.fetch_add(1, Ordering::Relaxed) + 1;
    let pointer = std::mem::replace(&mut *POINTER.lock().unwrap(), "changed");
    LOCAL.set(LOCAL.get() + 1);
    let lazy = LAZY.with_borrow_mut(|lazy| {
        lazy.push(String::new());
        lazy.len()
    });
    format!("old {old}, static {new}, pointer {pointer}, local {}, lazy {lazy}", LOCAL.get())
}
