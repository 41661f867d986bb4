//! Panics on one side of an entry and catches on the other.

mod words;

use std::{
    any::Any,
    io,
    panic::{catch_unwind, set_hook},
    sync::Mutex,
};

use words::word;

static OLD: Mutex<Option<fn()>> = Mutex::new(None);
static mut CALLED: fn() = panics_through;

fn main() {
    set_hook(Box::new(|_| ()));
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let answer = match line.strip_suffix(" from main") {
            Some(_) => catch_unwind(through_static).map(|()| String::new()),
            None => catch_unwind(|| answer(&line)),
        };
        match answer {
            Ok(answer) => println!("{answer}"),
            Err(payload) => println!("caught by main: {}", text(&*payload)),
        }
    }
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let caught = match line {
        "keep" => {
            *OLD.lock().unwrap() = Some(panics);
            return "kept".to_owned();
        }
        "replace" => {
            // SAFETY: one thread uses it.
            unsafe { CALLED = panics_through };
            return "replaced".to_owned();
        }
        "new panics" => {
            panics();
            return "did not panic".to_owned();
        }
        "old panics" => {
            let old = OLD.lock().unwrap().unwrap();
            catch_unwind(old)
        }
        _ => catch_unwind(through_static),
    };
    caught.map_or_else(|payload| format!("caught by entry: {}", text(&*payload)), |()| line.to_owned())
}

#[inline(never)]
fn through_static() {
    let alive = Dropped(Box::new(1));
    // SAFETY: one thread uses it.
    unsafe { CALLED() };
    drop(alive);
}

/// Something for the unwinder to do on the way.
struct Dropped(Box<u32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        assert_eq!(*self.0, 1);
    }
}

fn panics() {
    panic!("{}", word());
}

fn panics_through() {
    panic!("through {}", word());
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload.downcast_ref::<String>().map_or_else(
        || payload.downcast_ref::<&str>().copied().unwrap_or("something else"),
        String::as_str,
    )
}
