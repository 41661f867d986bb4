//! Uses of elements that wait: by one thread, by several, and by what fails.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread;

use hotswap_state::migrate;

use super::{
    ALIVE, FUSE, MANY, PIECE, changed, check_first, check_second, end, made, panic_of, second, v1,
    v3, world,
};

pub fn each_piece_is_changed_when_it_is_used() {
    let cell = second(world());
    assert_eq!(made(), 0);
    let world = cell.read();
    assert_eq!(
        (world.round, world.items.len(), world.items.left()),
        (7, MANY, MANY)
    );
    check_second(PIECE + 3, &world.items[PIECE + 3]);
    assert_eq!((made(), world.items.left()), (PIECE as isize, MANY - PIECE));
    check_second(PIECE, &world.items[PIECE]);
    assert!(world.items.get(MANY).is_none());
    for (number, item) in world.items.iter().enumerate() {
        check_second(number, item);
    }
    assert_eq!((made(), world.items.left()), (MANY as isize, 0));
    drop(world);
    end(cell);
}

pub fn threads_that_use_one_piece_find_it_changed_once() {
    let cell = second(world());
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                for (number, item) in cell.read().items.iter().enumerate() {
                    check_second(number, item);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(made(), MANY as isize);
    end(cell);
}

pub fn several_changes_come_one_after_the_other() {
    let cell = second(world());
    check_second(0, &cell.read().items[0]);
    let cell = changed(migrate::<_, v3::World>(cell, &[]));
    assert_eq!(made(), PIECE as isize);
    let world = cell.read();
    for number in [MANY - 1, 0] {
        let item = &world.items[number];
        let id = number as u64;
        assert_eq!((item.id, *item.kept.0, *item.fresh.0), (id, id, 5));
    }
    // The piece in the middle goes with the cell as it was in the first version.
    assert_eq!(world.items.left(), PIECE);
    drop(world);
    end(cell);
}

pub fn a_panic_leaves_elements_as_they_were() {
    let cell = second(world());
    FUSE.store(PIECE as isize + 20, Ordering::SeqCst);
    let world = cell.read();
    check_second(5, &world.items[5]);
    let alive = ALIVE.load(Ordering::SeqCst);
    let text = panic_of(|| check_second(PIECE, &world.items[PIECE]));
    assert!(
        text.contains("field `[20].fresh`") && text.contains("the fuse"),
        "{text}"
    );
    assert_eq!(ALIVE.load(Ordering::SeqCst), alive);
    assert_eq!(world.items.left(), MANY - PIECE);
    drop(world);
    // The fuse is burnt, so the next use works.
    check_second(PIECE, &cell.read().items[PIECE]);
    FUSE.store(0, Ordering::SeqCst);
    let text = panic_of(|| cell.read().items.finish());
    assert!(text.contains("the fuse"), "{text}");
    // Elements that could not be changed are none the worse for it.
    let cell = changed(migrate::<_, v1::World>(cell, &[]));
    for (number, item) in cell.read().items.iter().enumerate() {
        check_first(number, item);
    }
    end(cell);
}

pub fn a_container_in_change_can_be_changed() {
    let cell = second(world());
    let mut world = cell.write();
    let items = &mut world.items;
    let last = items.pop().unwrap();
    check_second(MANY - 1, &last);
    items.push(last);
    check_second(MANY - 1, &items[MANY - 1]);
    check_second(3, &items.swap_remove(3));
    check_second(MANY - 1, &items[3]);
    items.swap(3, PIECE + 3);
    check_second(PIECE + 3, &items[3]);
    check_second(MANY - 1, &items[PIECE + 3]);
    items.iter_mut().for_each(|item| item.number = 0);
    assert_eq!((items.len(), items.left()), (MANY - 1, 0));
    let all = Vec::from(std::mem::take(items));
    assert!(all.len() == MANY - 1 && all.iter().all(|item| item.number == 0));
    drop(world);
    end(cell);
}
