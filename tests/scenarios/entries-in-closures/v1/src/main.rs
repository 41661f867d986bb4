//! Entries that stand in closures and async blocks, which only their position tells apart.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
};

fn main() {
    // First.
    let ask = || {
        #[hotswap::entry]
        fn answer() -> String {
            "closure one".to_owned()
        }
        answer()
    };
    for _ in io::stdin().lines() {
        let block = async {
            #[hotswap::entry]
            async fn later() -> String {
                "block one".to_owned()
            }
            later().await
        };
        let Poll::Ready(later) = pin!(block).poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!()
        };
        println!("{}, {later}", ask());
    }
}
