//! Threads wait inside an entry on a condition variable in a static.

use std::{
    io,
    sync::{Condvar, Mutex},
    thread::{self, JoinHandle},
};

static STATE: Mutex<State> = Mutex::new(State { waiting: 0, open: false });
static CHANGED: Condvar = Condvar::new();

struct State {
    waiting: u32,
    open: bool,
}

fn main() {
    let mut threads: Vec<JoinHandle<String>> = Vec::new();
    for line in io::stdin().lines() {
        if line.unwrap() == "begin" {
            threads.push(thread::spawn(wait));
            println!("began {}", begun(threads.len() as u32));
        } else {
            open();
            let mut ends: Vec<_> = threads.drain(..).map(|thread| thread.join().unwrap()).collect();
            ends.sort();
            println!("{}", ends.join(", "));
        }
    }
}

#[hotswap::entry]
fn wait() -> String {
    let mut state = STATE.lock().unwrap();
    state.waiting += 1;
    CHANGED.notify_all();
    let state = CHANGED.wait_while(state, |state| !state.open).unwrap();
    drop(state);
    "one".to_owned()
}

#[hotswap::entry]
fn begun(number: u32) -> u32 {
    let state = STATE.lock().unwrap();
    CHANGED.wait_while(state, |state| state.waiting < number).unwrap().waiting
}

#[hotswap::entry]
fn open() {
    STATE.lock().unwrap().open = true;
    CHANGED.notify_all();
}
