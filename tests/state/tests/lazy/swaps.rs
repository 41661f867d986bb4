//! Swaps while elements wait: back, in vain, and to a type whose elements don't wait.

use std::sync::atomic::Ordering;

use hotswap::{Migrate, Pieces};
use hotswap_state::migrate;

use super::{FUSE, PIECE, changed, check_first, check_second, end, made, second, v1, v3, world};

pub fn what_was_not_used_is_as_it_was_after_a_revert() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let cell = changed(migrate::<_, v1::World>(cell, &[]));
    for (number, item) in cell.read().items.iter().enumerate() {
        check_first(number, item);
        let gone = if number < PIECE { 0 } else { number as u64 + 1 };
        assert_eq!(*item.gone.0, gone);
    }
    assert_eq!((made(), cell.read().items.left()), (PIECE as isize, 0));
    end(cell);
}

pub fn a_swap_that_fails_leaves_all_to_the_old_value() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let before = made();
    let outcome = migrate::<_, Fails>(cell, &[]).map(|_| ()).unwrap_err();
    assert!(outcome.contains("no way"), "{outcome}");
    assert_eq!(made(), before);
    for (number, item) in cell.read().items.iter().enumerate() {
        check_second(number, item);
    }
    end(cell);
}

fn no_way(_: &u32) -> Result<u8, String> {
    Err("no way".to_owned())
}

/// The container stands before what fails.
#[derive(Migrate)]
struct Fails {
    #[migrate(lazy)]
    items: Pieces<v3::Item>,
    #[migrate(with = no_way)]
    round: u8,
}

pub fn without_the_attribute_all_are_changed_at_once() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    for fuse in [0, 30, PIECE as isize + 50] {
        FUSE.store(fuse, Ordering::SeqCst);
        let failure = migrate::<_, v3::Eager>(cell, &[]).map(|_| ()).unwrap_err();
        assert!(failure.contains("the fuse"), "{failure}");
    }
    let cell = changed(migrate::<_, v3::Eager>(cell, &[]));
    assert_eq!(cell.read().items.left(), 0);
    for (number, item) in cell.read().items.iter().enumerate() {
        let id = number as u64;
        assert_eq!((item.id, *item.kept.0, *item.fresh.0), (id, id, 5));
    }
    end(cell);
}
