//! Two loops that call the same function, one directly and one through an entry.
//!
//! Start it with `cargo hotswap run -p counter` and edit `step`, to count by tens for example.
//! The local loop goes on as before: a call stays in the version that makes it. The qualified
//! loop counts the new way from its next round on, from where it was.

use std::{thread, time::Duration};

const PAUSE: Duration = Duration::from_millis(500);

fn main() {
    thread::scope(|scope| {
        scope.spawn(local_loop);
        scope.spawn(qualified_loop);
    });
}

/// Runs for ever on the version that it was started on.
fn local_loop() {
    let mut count = 0;
    loop {
        count = step(count);
        println!("local     {count}");
        thread::sleep(PAUSE);
    }
}

/// Is never replaced either, but each round asks for the newest version.
fn qualified_loop() {
    let mut count = 0;
    loop {
        count = newest_step(count);
        println!("qualified {count}");
        thread::sleep(PAUSE);
    }
}

/// The way from one version to the next: a call of an entry goes to the current version.
#[hotswap::entry]
fn newest_step(count: u64) -> u64 {
    step(count)
}

fn step(count: u64) -> u64 {
    count + 1
}
