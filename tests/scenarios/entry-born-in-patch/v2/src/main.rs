//! Starts a thread that ticks when asked.

use std::{
    io,
    sync::{
        Mutex,
        mpsc::{self, Sender},
    },
    thread,
};

static TICKER: Mutex<Option<Sender<Sender<String>>>> = Mutex::new(None);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    if line == "start" {
        let (sender, requests) = mpsc::channel::<Sender<String>>();
        *TICKER.lock().unwrap() = Some(sender);
        thread::spawn(move || requests.iter().for_each(|reply| reply.send(tick()).unwrap()));
        return "started".to_owned();
    }
    let (reply, replies) = mpsc::channel();
    TICKER.lock().unwrap().as_ref().unwrap().send(reply).unwrap();
    replies.recv().unwrap()
}

#[hotswap::entry]
fn tick() -> String {
    "tick two".to_owned()
}
