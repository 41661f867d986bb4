//! Uses maps, sorting, floats, channels and threads.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::mpsc,
    thread,
};

fn main() {
    for line in io::stdin().lines() {
        println!("{}", answer(&line.unwrap()));
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let (sender, receiver) = mpsc::channel();
    let numbers: VecDeque<u32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    let worker = thread::spawn(move || {
        let twice: HashMap<u32, u32> = numbers.into_iter().map(|n| (n, n * 2)).collect();
        sender.send(twice).unwrap();
    });
    let twice: BTreeMap<u32, u32> = receiver.recv().unwrap().into_iter().collect();
    worker.join().unwrap();
    let mut sorted: Vec<String> = twice.keys().map(ToString::to_string).collect();
    sorted.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let sum: u32 = twice.keys().sum();
    let root = f64::from(sum).sqrt();
    format!("sorted {}, sum {sum}, root {root:.3}, twice {twice:?}", sorted.join(" "))
}
