//! `async_trait`, inside and outside, in either order.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

#[async_trait]
trait Handler: Send + Sync {
    async fn handle(&self, text: &str) -> String;
    async fn count(&mut self, by: usize) -> usize;
}

struct OnMethods(usize);

#[async_trait]
impl Handler for OnMethods {
    #[hotswap::entry]
    async fn handle(&self, text: &str) -> String {
        format!("{text} {}", self.0)
    }

    #[hotswap::entry]
    async fn count(&mut self, by: usize) -> usize {
        self.0 += by;
        self.0
    }
}

struct Outside(usize);

#[hotswap::entry]
#[async_trait]
impl Handler for Outside {
    async fn handle(&self, text: &str) -> String {
        format!("{text} {}", self.0)
    }

    async fn count(&mut self, by: usize) -> usize {
        self.0 += by;
        self.0
    }
}

struct Inside(usize);

#[async_trait]
#[hotswap::entry]
impl Handler for Inside {
    async fn handle(&self, text: &str) -> String {
        format!("{text} {}", self.0)
    }

    async fn count(&mut self, by: usize) -> usize {
        self.0 += by;
        self.0
    }
}

#[test]
fn handlers_are_called_through_the_trait() {
    let handlers: [Box<dyn Handler>; 3] = [
        Box::new(OnMethods(1)),
        Box::new(Outside(1)),
        Box::new(Inside(1)),
    ];
    for mut handler in handlers {
        assert_eq!(finish(handler.count(2)), 3);
        assert_eq!(finish(handler.handle("a")), "a 3");
    }
}
