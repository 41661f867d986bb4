//! Counts in thread-locals of a library.

use std::cell::{Cell, RefCell};

thread_local! {
    static CONST: Cell<u32> = const { Cell::new(0) };
    static LAZY: RefCell<Vec<String>> = RefCell::new(Vec::with_capacity(1));
}

pub fn step() -> String {
    CONST.set(CONST.get() + 1);
    let lazy = LAZY.with_borrow_mut(|lazy| {
        lazy.push("one more".to_owned());
        lazy.len()
    });
    format!("{} {}", CONST.get(), lazy)
}
