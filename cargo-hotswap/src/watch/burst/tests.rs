//! What is told together, by made-up times.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Burst, Next, Sight};

/// Plays lines such as `3 written a.rs` (milliseconds, what, of what) and returns the batches as
/// `3: a.rs b.rs`. Between the lines the clock goes on as the machine asks for it.
fn play(script: &str) -> Vec<String> {
    let start = Instant::now();
    let at = |ms: f64| start + Duration::from_secs_f64(ms / 1e3);
    let mut burst = Burst::default();
    let (mut locked, mut told) = (false, Vec::new());
    let mut lines = script
        .split(',')
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .peekable();
    let mut now = 0.0_f64;
    loop {
        let next = lines.peek().map(|words| words[0].parse::<f64>().unwrap());
        match burst.next(at(now), locked) {
            Next::Tell => {
                let batch = burst.take(at(now));
                let moved = batch.moved.then(|| PathBuf::from("(moved)"));
                let all: BTreeSet<PathBuf> = batch
                    .files
                    .into_iter()
                    .chain(batch.strange)
                    .chain(moved)
                    .collect();
                let names: Vec<_> = all.iter().map(|path| path.to_str().unwrap()).collect();
                told.push(format!("{now:.0}: {}", names.join(" ")));
                continue;
            }
            Next::Wait(time) => {
                let then = now + time.as_secs_f64() * 1e3;
                if next.is_none_or(|next| next > then) {
                    now = then;
                    continue;
                }
            }
            Next::Idle => {}
        }
        let Some(words) = lines.next() else {
            return told;
        };
        now = words[0].parse().unwrap();
        let path = Path::new(words.get(2).copied().unwrap_or_default());
        match words[1] {
            "begun" => burst.see(path, Sight::Begun, at(now)),
            "written" => burst.see(path, Sight::Written, at(now)),
            "gone" => burst.see(path, Sight::Gone, at(now)),
            "strange" => burst.see_strange(path, at(now)),
            "moved" => burst.see_moved(at(now)),
            "lock" => locked = true,
            "unlock" => locked = false,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_is_told_together() {
    for (what, script, expected) in [
        ("a save in place", "0 begun a, 1 written a", "1: a"),
        (
            "two saves, apart",
            "0 written a, 100 written a",
            "0: a | 100: a",
        ),
        (
            "save, then format",
            "0 written a, 5 written a",
            "0: a | 15: a",
        ),
        (
            "one after the other",
            "0 written a, 3 written b, 6 written c",
            "0: a | 16: b c",
        ),
        (
            "two at once",
            "0 begun a, 0 begun b, 0 written a, 1 written b",
            "11: a b",
        ),
        (
            "the second is open",
            "0 begun b, 1 written a, 4 written b",
            "14: a b",
        ),
        (
            "a log that stays open",
            "0 begun b, 500 written a",
            "500: a",
        ),
        (
            "moved aside, then written",
            "0 gone a, 1 begun a, 2 written a",
            "2: a",
        ),
        ("removed", "0 gone a", "50: a"),
        (
            "one renamed, as the compiler sees it",
            "0 gone a, 0 written b",
            "50: a b",
        ),
        (
            "strange names before the known",
            "0 strange a~, 1 written a",
            "1: a a~",
        ),
        ("a new file", "0 strange new", "10: new"),
        (
            "under a lock",
            "0 lock, 1 written a, 40 written b, 90 unlock",
            "90: a b",
        ),
        (
            "written at the end of a lock",
            "0 lock, 1 written a, 5 unlock, 9 written b",
            "19: a b",
        ),
        ("a folder replaced", "0 moved, 2 written a", "12: (moved) a"),
        (
            "without end",
            &(0..300)
                .map(|n| format!("{} written {}", n * 8, n % 2))
                .collect::<Vec<_>>()
                .join(","),
            "0: 0 | 2008: 0 1 | 2402: 0 1",
        ),
    ] {
        assert_eq!(play(script).join(" | "), expected, "{what}");
    }
}
