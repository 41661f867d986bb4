//! Has closures of several shapes, new ones before the others.

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
    let numbers = [4_u64, 5];
    let insert = move || numbers.iter().sum::<u64>();
    let unused = async { numbers.len() };
    drop(unused);
    match line.as_str() {
        "keep" => {
            *KEPT.lock().unwrap() = Some(Box::new(|| "kept two".to_owned()));
            return "kept".to_owned();
        }
        "kept" => return KEPT.lock().unwrap().as_ref().unwrap()(),
        _ => {}
    }
    let two = 2;
    let add = |n: u32| n + two;
    let word = || format!("two {line}");
    let later = async { add(4) };
    format!("insert {}, add {}, word {}, later {}", insert(), add(1), word(), finish(later))
}

fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
