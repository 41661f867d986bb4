//! Entries that return futures.

use std::cell::Cell;
use std::fmt::Display;
use std::future::{self, Future};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn yielded() -> impl Future<Output = ()> {
    let mut pending = true;
    future::poll_fn(move |_| {
        if std::mem::take(&mut pending) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
}

#[hotswap::entry]
async fn add(a: u32, mut b: u32) -> u32 {
    yielded().await;
    if a == 0 {
        return b;
    }
    b += a;
    b
}

#[hotswap::entry]
async fn unit() {
    yielded().await
}

#[hotswap::entry]
async fn fallible(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    yielded().await;
    let parsed = text.parse()?;
    Ok(parsed)
}

#[hotswap::entry]
async fn longest<'a>(a: &'a str, b: &'a str, _ignored: &str) -> &'a str {
    yielded().await;
    if a.len() > b.len() { a } else { b }
}

#[hotswap::entry]
async fn shown(a: u32) -> impl Display {
    yielded().await;
    a
}

#[hotswap::entry]
fn by_hand(a: &str) -> impl Future<Output = Result<usize, std::num::ParseIntError>> + Send {
    async move {
        yielded().await;
        let b: usize = a.parse()?;
        Ok(b)
    }
}

#[hotswap::entry]
fn pinned<'a>(a: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    Box::pin(async move {
        yielded().await;
        a.len()
    })
}

#[hotswap::entry]
async fn local(a: Rc<Cell<u32>>) -> u32 {
    yielded().await;
    a.get()
}

#[hotswap::entry(untracked)]
async fn untracked(a: u32) -> u32 {
    yielded().await;
    a
}

#[hotswap::entry]
async fn never(text: &str) -> ! {
    yielded().await;
    panic!("never {text}")
}

#[hotswap::entry]
fn unpin() -> impl Future<Output = u32> + Unpin {
    future::ready(1)
}

/// # Safety
///
/// `a` must be valid for reads until the future is complete.
#[hotswap::entry]
async unsafe fn read(a: *const u32) -> u32 {
    yielded().await;
    // SAFETY: by the function's contract.
    unsafe { *a }
}

#[hotswap::entry]
async fn factorial(n: u64) -> u64 {
    yielded().await;
    if n == 0 {
        1
    } else {
        n * Box::pin(factorial(n - 1)).await
    }
}

struct Noisy<'a>(&'a Cell<u32>, u32);

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() * 10 + self.1);
    }
}

#[hotswap::entry]
async fn drops(a: Noisy<'_>, _: Noisy<'_>, _c: Noisy<'_>) {
    let _d = Noisy(a.0, 4);
    yielded().await;
}

async fn drops_plain(a: Noisy<'_>, _: Noisy<'_>, _c: Noisy<'_>) {
    let _d = Noisy(a.0, 4);
    yielded().await;
}

trait Handler {
    async fn handle(&self, text: &str) -> usize;
    fn later(&mut self) -> impl Future<Output = u32> + Send;
}

struct Counter(u32);

impl Handler for Counter {
    #[hotswap::entry]
    async fn handle(&self, text: &str) -> usize {
        yielded().await;
        println!("{self_}", self_ = self.0);
        text.len() + self.0 as usize
    }

    #[hotswap::entry]
    async fn later(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

#[hotswap::entry]
impl Counter {
    async fn consume(self, by: u32) -> u32 {
        self.0 + by
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Holds for `A = ()` always and for `A = u8` where `Self` is `Send`: `A` can only be inferred where
/// it is not.
trait NotSend<A> {}
impl<T> NotSend<()> for T {}
impl<T: Send> NotSend<u8> for T {}

fn is_not_send<T: NotSend<A>, A>(value: T) -> T {
    value
}

trait NotUnpin<A> {}
impl<T> NotUnpin<()> for T {}
impl<T: Unpin> NotUnpin<u8> for T {}

fn is_not_unpin<T: NotUnpin<A>, A>(value: T) -> T {
    value
}

#[test]
fn auto_traits_are_those_of_the_original() {
    drop(is_not_unpin(is_send(add(0, 2))));
    drop(is_not_send(local(Rc::default())));
    fn is_unpin<T: Unpin>(_: T) {}
    is_unpin(unpin());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_facts_of_hidden_types_are_asked_through_the_descriptor() {
    use hotswap::__private::v0_1_0::Descriptor;
    unsafe extern "C" {
        #[link_name = "__start_hotswap_entries"]
        static START: [u8; 0];
        #[link_name = "__stop_hotswap_entries"]
        static STOP: [u8; 0];
    }
    let (start, stop) = (
        (&raw const START).cast::<Descriptor>(),
        (&raw const STOP).cast::<Descriptor>(),
    );
    // SAFETY: the linker lays the descriptors of this executable out between the two symbols.
    let entries = unsafe { std::slice::from_raw_parts(start, stop.offset_from_unsigned(start)) };
    let facts = |name: &str| {
        let mut named = entries.iter().filter(|entry| entry.name() == name);
        named.next().expect("there is such an entry").hidden()
    };
    const KNOWN: u32 = 1;
    const SEND: u32 = 2;
    const SYNC: u32 = 4;
    const UNPIN: u32 = 8;
    assert_eq!(facts("futures::add"), Some(KNOWN | SEND | SYNC));
    assert_eq!(facts("futures::local"), Some(KNOWN));
    assert_eq!(facts("futures::unpin"), Some(KNOWN | SEND | SYNC | UNPIN));
    assert_eq!(facts("futures::pinned"), None);
}

#[test]
fn futures_are_awaited() {
    assert_eq!(finish(is_send(add(0, 2))), 2);
    assert_eq!(finish(add(1, 2)), 3);
    finish(unit());
    assert_eq!(finish(fallible("7")).unwrap(), 7);
    assert!(finish(fallible("x")).is_err());
    let ignored = String::from("c");
    let longest = longest("a", "ab", &ignored);
    assert_eq!(finish(longest), "ab");
    assert_eq!(finish(shown(3)).to_string(), "3");
    assert_eq!(finish(is_send(by_hand("12"))).unwrap(), 12);
    assert_eq!(finish(is_send(pinned("12"))), 2);
    assert_eq!(finish(local(Rc::new(Cell::new(5)))), 5);
    assert_eq!(finish(untracked(1)), 1);
    assert_eq!(finish(is_send(factorial(5))), 120);
    // SAFETY: the reference is valid.
    assert_eq!(finish(unsafe { read(&7) }), 7);
    assert_eq!(
        Pin::new(&mut unpin()).poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(1)
    );
}

#[test]
fn methods_are_awaited() {
    let mut counter = Counter(1);
    assert_eq!(finish(counter.handle("ab")), 3);
    assert_eq!(finish(is_send(counter.later())), 2);
    assert_eq!(finish(counter.consume(1)), 3);
}

#[test]
fn arguments_are_dropped_in_the_compilers_order() {
    let order = |run: &dyn Fn(&Cell<u32>)| {
        let order = Cell::new(0);
        run(&order);
        order.get()
    };
    let hot = order(&|o| finish(drops(Noisy(o, 1), Noisy(o, 2), Noisy(o, 3))));
    let plain = order(&|o| finish(drops_plain(Noisy(o, 1), Noisy(o, 2), Noisy(o, 3))));
    assert_eq!(hot, plain);
}

#[test]
fn a_future_that_never_ends_can_panic() {
    let panic = std::panic::catch_unwind(|| finish(never("ever"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "never ever");
}
