//! Begins futures on one line and finishes them on another.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

static OPEN: AtomicBool = AtomicBool::new(false);

fn main() {
    let mut waiting: Vec<Pin<Box<dyn Future<Output = String>>>> = Vec::new();
    for line in io::stdin().lines() {
        let line = line.unwrap();
        if let Some(name) = line.strip_prefix("begin ") {
            let mut future: Pin<Box<dyn Future<Output = String>>> = Box::pin(work(name.to_owned()));
            assert!(poll(&mut future).is_pending());
            waiting.push(future);
            println!("began");
        } else {
            OPEN.store(true, Ordering::Relaxed);
            let ends: Vec<String> = waiting.drain(..).map(|mut future| end(&mut future)).collect();
            OPEN.store(false, Ordering::Relaxed);
            println!("{}", ends.join(", "));
        }
    }
}

fn end(future: &mut Pin<Box<dyn Future<Output = String>>>) -> String {
    match poll(future) {
        Poll::Ready(text) => text,
        Poll::Pending => "still waits".to_owned(),
    }
}

fn poll(future: &mut Pin<Box<dyn Future<Output = String>>>) -> Poll<String> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[hotswap::entry]
async fn work(name: String) -> String {
    let before = name.len();
    opened().await;
    assert_ne!(size_of_val(&before), 0);
    format!("{name} {}", word())
}

async fn opened() {
    std::future::poll_fn(|_| {
        if OPEN.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn word() -> &'static str {
    "one"
}
