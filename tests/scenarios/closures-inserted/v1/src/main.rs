//! Has closures of several shapes, one of which it keeps.

use std::{
    io,
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

type Kept = Box<dyn Fn() -> String + Send>;

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: String) -> String {
    match line.as_str() {
        "keep" => {
            *KEPT.lock().unwrap() = Some(Box::new(move || format!("{line}, but one")));
            return "kept".to_owned();
        }
        "kept" => return KEPT.lock().unwrap().as_ref().unwrap()(),
        _ => {}
    }
    let two = 2;
    let add = |n: u32| n + two;
    let word = || format!("one {line}");
    let later = async { add(3) };
    format!("add {}, word {}, later {}", add(1), word(), finish(later))
}

fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
