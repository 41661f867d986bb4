//! Cells and calls of cases of the catalogue, beside what they have to hold and to give.

#![expect(
    dead_code,
    non_snake_case,
    unused_imports,
    unused_variables,
    reason = "cases stand here as in the table, each with what any of them may need"
)]

/// What was looked at.
#[derive(Default)]
pub struct Found {
    right: usize,
    wrong: Vec<String>,
}

impl Found {
    fn compare(&mut self, what: &str, is: String, ought: String) {
        match is == ought {
            true => self.right += 1,
            false => self.wrong.push(format!("{what} is {is}, not {ought}")),
        }
    }
}

/// What the tables' sources take for given.
mod prelude {
    pub use hotswap::{Migrate, code_change};

    pub type Was<'a> = hotswap::Old<'a>;

    /// An argument or a result, as entries pass them.
    pub struct Arg<T>(pub T);

    /// Has a function compiled that only the other version calls.
    pub fn kept(function: fn()) {
        std::hint::black_box(function);
    }

    /// What a future gives that never waits.
    pub fn finished<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(found) => found,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }
}

#[macro_export]
macro_rules! entry {
    ($($item:tt)*) => {
        #[hotswap::entry]
        pub $($item)*
    };
}

/// A call of a case, and what it gives, which after a revert may be something else.
#[macro_export]
macro_rules! call {
    ({ $($call:tt)* } gives $gives:expr, back $back:expr) => {
        pub fn compare(back: bool, found: &mut crate::Found) {
            let gives = { $($call)* };
            let ought = if back { $back } else { $gives };
            found.compare(module_path!(), format!("{gives:?}"), format!("{ought:?}"));
        }

        pub fn renew() {}
    };
}

/// The cells of a case: how each begins, its value, and the same after a revert.
#[macro_export]
macro_rules! cells {
    (told $it:ident: $told:expr; $($cell:ident begins $begins:expr, is $value:expr, back $back:expr;)*) => {
        $(static $cell: hotswap::Live<World> = hotswap::Live::new($begins);)*

        fn told($it: &World) -> String {
            format!("{:?}", $told)
        }

        pub fn compare(back: bool, found: &mut crate::Found) {
            $({
                let ought: World = if back { $back } else { $value };
                let cell = concat!(module_path!(), "::", stringify!($cell));
                found.compare(cell, told(&$cell.read()), told(&ought));
            })*
        }

        pub fn renew() {
            $(*$cell.write() = $value;)*
        }
    };
}

mod cases;

fn main() {
    for line in std::io::stdin().lines() {
        println!("{}", answer(&line.expect("a line")));
    }
}

#[hotswap::entry]
fn answer(what: &str) -> String {
    let mut found = Found::default();
    match what {
        "renew" => cases::renew(),
        "compare" => cases::compare(false, &mut found),
        "compare after a revert" => cases::compare(true, &mut found),
        other => found.wrong.push(format!("no question: {other}")),
    }
    match found.wrong.is_empty() {
        true => format!("{} values are right", found.right),
        false => found.wrong.join("; "),
    }
}
