//! Cells of all cases of the catalogue, beside what they have to hold.

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
    fn compare(&mut self, cell: &str, holds: String, ought: String) {
        match holds == ought {
            true => self.right += 1,
            false => self.wrong.push(format!("{cell} holds {holds}, not {ought}")),
        }
    }
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
        true => format!("{} cells are right", found.right),
        false => found.wrong.join("; "),
    }
}
