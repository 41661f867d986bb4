//! Which code may use a cell, judged by where that code lies.

use std::ops::Range;
use std::sync::Arc;

use super::*;
use crate::live::versions::{Cell, File, Verdict, add, contest, judge, update};

/// Adds a file whose code expects these layouts.
fn file(version: u64, range: Range<usize>, layouts: &[(usize, &str)]) -> File {
    let layouts = layouts
        .iter()
        .map(|(handle, layout)| (*handle, Arc::from(*layout)));
    File {
        version,
        range,
        layouts: layouts.collect(),
    }
}

fn cell(path: &str, layout: &str) -> Cell {
    Cell {
        handle: None,
        path: path.into(),
        type_name: "app::World".into(),
        layout: layout.into(),
        since: 0,
        init: None,
        facts: facts::plain::<u8>,
        contested: false,
    }
}

fn fits(handle: usize, marks: &[usize]) -> Vec<bool> {
    let fits = |mark: &usize| judge(handle, *mark) == Verdict::Fits;
    marks.iter().map(fits).collect()
}

#[test]
fn code_may_use_a_cell_while_it_expects_the_layout_that_the_value_has() {
    // Made-up addresses: a handle, and marks in the executable, two images, and elsewhere.
    const HANDLE: usize = 0x10;
    const MARKS: &[usize] = &[0x1_500, 0x2_500, 0x3_500, 0x9_000];
    assert_eq!(fits(HANDLE, MARKS), [true; 4], "nothing is known");
    add(
        file(0, 0x1_000..0x2_000, &[(HANDLE, "a")]),
        vec![(HANDLE, cell("app::WORLD", "a"))],
    );
    assert_eq!(
        fits(HANDLE, MARKS),
        [true; 4],
        "nobody expects another layout"
    );
    contest(HANDLE);
    assert_eq!(fits(HANDLE, MARKS), [true, false, false, false]);
    add(
        file(1, 0x2_000..0x3_000, &[(HANDLE, "b")]),
        vec![(HANDLE, cell("app::WORLD", "b"))],
    );
    assert_eq!(
        fits(HANDLE, MARKS),
        [true, false, false, false],
        "what is known stays"
    );
    update(HANDLE, |cell| {
        cell.layout = "b".into();
        cell.since = 1;
    });
    assert_eq!(fits(HANDLE, MARKS), [false, true, false, false]);
    add(file(2, 0x3_000..0x4_000, &[(HANDLE, "b")]), Vec::new());
    assert_eq!(fits(HANDLE, MARKS), [false, true, true, false]);
    assert_eq!(
        judge(HANDLE, MARKS[0]),
        Verdict::Stale(
            "`app::WORLD` holds a `app::World` with the layout of version 1, and code of version 0 \
             expects another one: what uses the cell after a swap must be called through an entry"
                .to_owned()
        )
    );
}

/// This executable is the whole address space, as far as this test needs.
#[test]
fn stale_code_gets_an_error_or_a_panic_and_makes_no_value() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    static USED: Live<u64> = Live::new(|| 5);
    static FRESH: Live<u64> = Live::new(|| unreachable!("no value is made"));
    assert_eq!(*USED.read(), 5);
    let handles = [&USED, &FRESH].map(|cell| ptr::from_ref(cell).addr());
    for handle in handles {
        let cells = vec![(handle, cell(&format!("app::CELL_{handle}"), "a"))];
        add(file(7, 0..0, &[]), cells);
        contest(handle);
    }
    // The mark that was found good is remembered until a swap changes the layout.
    assert_eq!(*USED.read(), 5);
    for cell in [&USED, &FRESH] {
        let core = cell.handle().core();
        let hold = core.hold(
            Mode::Exclusive,
            lock::Who::me(Location::caller(), 0),
            Patience::None,
        );
        hold.unwrap().forget_marks();
        assert_eq!(cell.try_read().err(), Some(Unavailable::Stale));
        assert_eq!(cell.try_write().err(), Some(Unavailable::Stale));
        let panic = catch_unwind(AssertUnwindSafe(|| drop(cell.read()))).unwrap_err();
        let text = crate::on_swap::panic_message(panic);
        assert!(text.starts_with("hotswap: `app::CELL_"), "{text}");
        assert!(core.lock.holders().is_empty(), "nothing is held");
    }
}

#[test]
fn handles_have_one_layout() {
    use std::mem::{align_of, size_of};
    assert_eq!(size_of::<Live<[u128; 9]>>(), size_of::<Handle>());
    assert_eq!(align_of::<Live<[u128; 9]>>(), align_of::<Handle>());
    assert_eq!(std::mem::offset_of!(Live<u8>, init), 8);
    assert_eq!(std::mem::offset_of!(Live<u8>, facts), 16);
}
