//! Takes newtypes of floats by value out of every kind of box that an entry returns.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

struct Awaited(f64);
struct Promised(f64);
struct Pinned(f64);
struct Yielded(f64);
struct Called(f64);
struct Given(f64);
struct Hidden(f64);

fn main() {
    for line in io::stdin().lines() {
        let value: f64 = line.unwrap().parse().unwrap();
        let awaited = ready(awaited(value)).0;
        let promised = ready(promised(value)).0;
        let pinned = ready(pinned(value)).0;
        let yielded = yielded(value).next().map_or(0.0, |item| item.0);
        let called = called(value)().0;
        let given = given(value)(Given(value));
        let hidden = hidden(value)(value).0;
        println!("{awaited} {promised} {pinned} {yielded} {called} {given} {hidden}");
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!(),
    }
}

#[hotswap::entry]
async fn awaited(value: f64) -> Awaited {
    Awaited(value * 2.0)
}

#[hotswap::entry]
fn promised(value: f64) -> impl Future<Output = Promised> {
    async move { Promised(value * 2.0) }
}

#[hotswap::entry]
fn pinned(value: f64) -> Pin<Box<dyn Future<Output = Pinned>>> {
    Box::pin(async move { Pinned(value * 2.0) })
}

#[hotswap::entry]
fn yielded(value: f64) -> impl Iterator<Item = Yielded> {
    Some(Yielded(value * 2.0)).into_iter()
}

#[hotswap::entry]
fn called(value: f64) -> impl Fn() -> Called {
    move || Called(value * 2.0)
}

#[hotswap::entry]
fn given(value: f64) -> impl FnOnce(Given) -> f64 {
    move |given| given.0 + value
}

#[hotswap::entry]
fn hidden(value: f64) -> Box<dyn Fn(f64) -> Hidden> {
    Box::new(move |more| Hidden(value + more))
}
