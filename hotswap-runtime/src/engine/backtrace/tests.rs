//! Against lists made here, and against the standard library's own.

use std::backtrace::Backtrace;

use hotswap_protocol::manifest::Static;

use super::*;
use crate::engine::elf::Segment;

fn object(name: &str, base: usize, segments: &[(u64, u64)]) -> Object {
    let segment = |(address, memory_bytes): &(u64, u64)| Segment {
        kind: 1,
        flags: 5,
        offset: 0,
        address: *address,
        file_bytes: 0,
        memory_bytes: *memory_bytes,
        align: 1,
    };
    Object {
        name: name.into(),
        base,
        segments: segments.iter().map(segment).collect(),
    }
}

fn memory() -> Memory {
    Memory(File::open("/proc/self/mem").unwrap())
}

fn list_of(objects: &[Object]) -> Parts {
    leak(objects.iter().map(Record::of).collect::<Vec<_>>())
}

/// The names in a list whose records have segments.
fn names(list: Parts) -> Vec<String> {
    let memory = memory();
    let records = memory.records(list).unwrap();
    let present = records.iter().filter(|record| record.segments.length > 0);
    present
        .map(|record| String::from_utf8(memory.bytes(record.name).unwrap()).unwrap())
        .collect()
}

/// Brings a list of `before` up to date with `now`, and gives the names in it afterwards.
fn check(before: &[Object], now: &[Object], expected: &[&str]) {
    let mut list = list_of(before);
    let list_before = list;
    let word = AtomicU32::new(0);
    let place = Place {
        list: &raw mut list,
        lock: &raw const word,
    };
    let mut lists = Lists::default();
    refresh_at(place, &mut lists, now).unwrap();
    // SAFETY: nothing else uses the local.
    let after = unsafe { (&raw const list).read_volatile() };
    assert_eq!(names(after), expected);
    // What stands there belongs to somebody, who frees it once another one does.
    if after != list_before {
        assert_eq!(Parts::of(&lists.own), after);
    }
    assert_eq!(word.load(Ordering::Relaxed), 0);
}

#[test]
fn lists_follow_the_loader() {
    let host = object("", 0x1000, &[(0, 64), (64, 8)]);
    let named = Object {
        name: b"/bin/host".to_vec(),
        ..host.clone()
    };
    let libc = object("libc.so", 0x9000, &[(0, 100)]);
    let (one, two) = (
        object("1.so", 0x20000, &[(0, 9)]),
        object("2.so", 0x30000, &[(0, 9)]),
    );
    let moved = object("2.so", 0x20000, &[(0, 9)]);
    let all = |objects: &[&Object]| objects.iter().copied().cloned().collect::<Vec<_>>();
    let before = all(&[&named, &libc, &one]);
    check(
        &before,
        &all(&[&host, &libc, &one]),
        &["/bin/host", "libc.so", "1.so"],
    );
    check(
        &before,
        &all(&[&host, &libc, &one, &two]),
        &["/bin/host", "libc.so", "1.so", "2.so"],
    );
    check(&before, &all(&[&host, &libc]), &["/bin/host", "libc.so"]);
    check(
        &before,
        &all(&[&host, &libc, &moved]),
        &["/bin/host", "libc.so", "2.so"],
    );
}

#[test]
fn what_is_unlike_is_left_alone() {
    let host = object("", 0x1000, &[(0, 64)]);
    let now = [host.clone(), object("1.so", 0x20000, &[(0, 9)])];
    let good = list_of(std::slice::from_ref(&host));
    let changed = |change: fn(&mut Record)| {
        let mut record = Record::of(&host);
        change(&mut record);
        leak(vec![record])
    };
    let table = [
        Parts {
            length: 2,
            capacity: 1,
            ..good
        },
        Parts { start: 0, ..good },
        Parts {
            start: good.start + 1,
            ..good
        },
        Parts { start: 8, ..good },
        Parts {
            capacity: usize::MAX,
            ..good
        },
        Parts { length: 0, ..good },
        changed(|record| record.base += 1),
        changed(|record| record.segments.length = 0),
        changed(|record| record.segments.start = 16),
        changed(|record| record.name.start = 0),
        changed(|record| record.name.length = usize::MAX),
        leak(vec![[1usize; 7]]),
    ];
    for mut list in table {
        let before = list;
        let word = AtomicU32::new(0);
        let place = Place {
            list: &raw mut list,
            lock: &raw const word,
        };
        assert!(
            refresh_at(place, &mut Lists::default(), &now).is_err(),
            "{before:?}"
        );
        assert_eq!(list, before);
        assert_eq!(word.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn no_list_yet_is_no_error() {
    let mut list = Parts {
        capacity: NO_LIST,
        start: 0,
        length: 0,
    };
    let word = AtomicU32::new(0);
    refresh_at(
        Place {
            list: &raw mut list,
            lock: &raw const word,
        },
        &mut Lists::default(),
        &[],
    )
    .unwrap();
    assert_eq!(list.capacity, NO_LIST);
}

/// Address and size of the static whose mangled name has all of these in it.
fn find_static(parts: &[&str]) -> Static {
    let file = std::fs::read("/proc/self/exe").unwrap();
    let number = |at: usize, bytes: usize| {
        file[at..at + bytes]
            .iter()
            .rev()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let sections = (0..number(60, 2)).map(|index| number(40, 8) + index * 64);
    let symbols = sections.clone().find(|at| number(at + 4, 4) == 2).unwrap();
    let strings = number(40, 8) + number(symbols + 40, 4) * 64;
    let (start, bytes) = (number(symbols + 24, 8), number(symbols + 32, 8));
    let found = (start..start + bytes).step_by(24).find(|at| {
        let name = &file[number(strings + 24, 8) + number(*at, 4)..];
        let end = name.iter().position(|byte| *byte == 0).unwrap();
        let name = std::str::from_utf8(&name[..end]).unwrap();
        file[at + 4] & 15 == 1 && parts.iter().all(|part| name.contains(part))
    });
    let at = found.unwrap();
    Static {
        address: number(at + 8, 8) as u64,
        size: number(at + 16, 8) as u64,
    }
}

#[test]
fn the_standard_librarys_own_list_is_understood() {
    let statics = BacktraceStatics {
        cache: find_static(&["3std", "symbolize5gimli", "14MAPPINGS_CACHE"]),
        lock: find_static(&["3std", "3sys9backtrace", "4LOCK"]),
    };
    locate(&statics, loaded::executable().unwrap()).unwrap();
    // Held, so that tests which unload images do not refresh the list meanwhile.
    let guard = lock(&PLACE);
    let place = guard.unwrap();
    assert!(
        Backtrace::force_capture()
            .to_string()
            .contains("is_understood")
    );
    let mut objects = loaded::objects();
    objects.push(object("/nowhere/new.so", 0x5000, &[(0, 16)]));
    refresh_at(place, &mut lock(&LISTS), &objects).unwrap();
    // SAFETY: the place is the static's, and whoever changes it holds `PLACE`.
    let listed = names(unsafe { place.list.read_volatile() });
    assert!(
        listed.iter().any(|name| name == "/nowhere/new.so"),
        "{listed:?}"
    );
    assert!(
        Backtrace::force_capture()
            .to_string()
            .contains("is_understood")
    );
    drop(guard);
    refresh().unwrap();
    // SAFETY: the list is only read, and old ones are never freed.
    let listed = names(unsafe { place.list.read_volatile() });
    assert!(
        !listed.iter().any(|name| name == "/nowhere/new.so"),
        "{listed:?}"
    );
}
