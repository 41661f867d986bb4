//! Asks the runtime about itself.

use std::{io, sync::Mutex};

static SWAPS: Mutex<String> = Mutex::new(String::new());

fn main() {
    hotswap::on_swap(|_| panic!("a callback that fails"));
    hotswap::on_swap(|swap| {
        let text = format!(" {}-{}", swap.from, swap.to);
        SWAPS.lock().unwrap().push_str(&text);
    });
    hotswap::on_swap(|_| SWAPS.lock().unwrap().push_str(" canceled")).cancel();
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let status = hotswap::status();
    let listening = if status.listening { "listening" } else { "deaf" };
    let (version, swaps) = (hotswap::version(), SWAPS.lock().unwrap());
    format!("{}, version {version}, status {} {listening}, callbacks{swaps}", "one", status.version)
}
