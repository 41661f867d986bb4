//! Holds values of several types in statics.

use std::{any::Any, io, sync::Mutex};

const SIDE: usize = 4;

static LIST: Mutex<Option<Box<Node>>> = Mutex::new(None);
static GRID: Mutex<[[u8; SIDE]; SIDE]> = Mutex::new([[0; SIDE]; SIDE]);
static MOOD: Mutex<Mood> = Mutex::new(Mood::Calm);
static ANY: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

struct Node {
    value: u32,
    next: Option<Box<Node>>,
}

#[derive(Debug)]
enum Mood {
    Calm,
    Loud(u32),
}

struct Held(u32);

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let mut list = LIST.lock().unwrap();
    let next = list.take();
    *list = Some(Box::new(Node { value: 1, next }));
    let mut length = 0;
    let mut node = list.as_ref();
    while let Some(current) = node {
        length += current.value;
        node = current.next.as_ref();
    }
    let grid = GRID.lock().unwrap().concat().len();
    let mood = MOOD.lock().unwrap();
    let mut any = ANY.lock().unwrap();
    let held = any.get_or_insert_with(|| Box::new(Held(1)));
    let held = held.downcast_ref::<Held>().map_or(0, |held| held.0);
    format!("list {length}, grid {grid}, mood {mood:?}, any {held}")
}
