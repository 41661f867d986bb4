//! Times migrations of state, beside round trips of the same values through serde.
//!
//! A million elements whose type changed are migrated, written and read as JSON, and written and
//! read by bincode, in turns, so that a machine that is slow for a while is slow for all. Then
//! what a swap takes for a map that did not change, and for more and fewer elements: at once by one thread
//! and by all, and when each is first used.

use std::collections::HashMap;
use std::hint::black_box;
use std::num::NonZero;
use std::time::{Duration, Instant};

use hotswap::{Live, Pieces, SwapLimits};
use hotswap_bench::figures::{Report, Table, median, pairs};
use hotswap_state::{cell, dispose, migrate, migrate_within};
use serde::{Deserialize, Serialize};

/// Elements in the comparison.
const ELEMENTS: usize = 1_000_000;

/// Rounds of the comparison.
const ROUNDS: usize = 7;

mod v1 {
    use super::{Deserialize, HashMap, Serialize};

    #[derive(hotswap::Migrate, Serialize, Deserialize, Default)]
    pub struct Particle {
        pub id: u64,
        pub x: f32,
        pub y: f32,
        pub dx: f32,
        pub dy: f32,
        pub health: u32,
        pub kind: u16,
        pub alive: bool,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Book {
        pub entries: HashMap<u64, String>,
        pub round: u64,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Box {
        #[migrate(lazy)]
        pub particles: hotswap::Pieces<Particle>,
    }
}

mod v2 {
    use super::{Deserialize, HashMap, Serialize};

    #[derive(hotswap::Migrate, Serialize, Deserialize, Default)]
    pub struct Particle {
        pub alive: bool,
        pub x: f32,
        pub y: f32,
        #[migrate(default = 1.0)]
        #[serde(default)]
        pub mass: f32,
        pub dx: f32,
        pub dy: f32,
        pub kind: u16,
        pub health: u32,
        pub id: u64,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Book {
        pub title: String,
        pub round: u64,
        pub entries: HashMap<u64, String>,
    }

    #[derive(hotswap::Migrate, Default)]
    pub struct Box {
        #[migrate(lazy)]
        pub particles: hotswap::Pieces<Particle>,
    }
}

/// The fields of a new element.
const FIELDS: usize = 9;

fn particle(number: usize) -> v1::Particle {
    let value = number as f32;
    v1::Particle {
        id: number as u64 * 77,
        x: value * 0.5,
        y: value * 0.25,
        dx: 1.5,
        dy: -0.125,
        health: 100,
        kind: (number % 7) as u16,
        alive: number.is_multiple_of(3),
    }
}

fn particles(count: usize) -> Vec<v1::Particle> {
    (0..count).map(particle).collect()
}

/// Drops a cell that a measurement is done with.
fn end<T: hotswap::Migrate>(cell: &'static Live<T>) {
    // SAFETY: that was its last use, and it has a value of this type.
    unsafe { dispose(cell) };
}

/// One thread, and as many as there are processors.
const ONE: Option<NonZero<usize>> = NonZero::new(1);
const ALL: Option<NonZero<usize>> = None;

/// The pause of a migration by so many threads, and the time until everything is released.
fn migration(count: usize, threads: Option<NonZero<usize>>) -> (Duration, Duration) {
    let mut limits = SwapLimits::default();
    limits.threads = threads;
    let cell = cell(Vec::new);
    *cell.write() = particles(count);
    let begun = Instant::now();
    let (cell, done) = migrate_within::<Vec<v1::Particle>, Vec<v2::Particle>>(cell, &[], limits)
        .unwrap_or_else(|error| panic!("{error}"));
    let total = begun.elapsed();
    assert_eq!(cell.read().len(), count);
    assert_eq!(cell.read()[count / 2].id, particle(count / 2).id);
    end(cell);
    (done.pause, total)
}

/// The pause of a migration when elements are first used, and that with the time until all have migrated.
fn lazy(count: usize) -> (Duration, Duration) {
    let cell = cell(v1::Box::default);
    cell.write().particles = (0..count).map(particle).collect::<Pieces<_>>();
    let begun = Instant::now();
    let (cell, done) = migrate::<v1::Box, v2::Box>(cell, &[]).unwrap_or_else(|e| panic!("{e}"));
    for piece in (0..count).step_by(1024) {
        black_box(&cell.read().particles[piece]);
    }
    let total = begun.elapsed();
    assert_eq!(cell.read().particles.left(), 0);
    assert_eq!(cell.read().particles[count / 2].id, particle(count / 2).id);
    end(cell);
    (done.pause, total)
}

fn json(old: &[v1::Particle]) -> Duration {
    let begun = Instant::now();
    let text = serde_json::to_vec(old).unwrap_or_default();
    let new: Vec<v2::Particle> = serde_json::from_slice(&text).unwrap_or_default();
    let time = begun.elapsed();
    assert_eq!(black_box(new).len(), old.len());
    time
}

fn bincode(old: &[v1::Particle]) -> Duration {
    let config = bincode::config::standard();
    let begun = Instant::now();
    let bytes = bincode::serde::encode_to_vec(old, config).unwrap_or_default();
    let new: (Vec<v1::Particle>, usize) =
        bincode::serde::decode_from_slice(&bytes, config).unwrap_or_default();
    let time = begun.elapsed();
    assert_eq!(black_box(new).0.len(), old.len());
    time
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn compare(report: &mut Report) {
    let old = particles(ELEMENTS);
    let (mut ours, mut parallel) = (Vec::new(), Vec::new());
    let (mut texts, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(millis(migration(ELEMENTS, ONE).0));
        parallel.push(millis(migration(ELEMENTS, ALL).0));
        texts.push(millis(json(&old)));
        bytes.push(millis(bincode(&old)));
    }
    let mut table = Table::new(
        "1,000,000 elements of 9 fields",
        &["ms", "M fields/s", "times ours"],
        1,
    );
    for (name, times) in [
        ("migration by one thread, pause", &ours),
        ("migration by all threads, pause", &parallel),
        ("serde_json, written and read", &texts),
        ("bincode, written and read", &bytes),
    ] {
        let time = median(times);
        let rate = (ELEMENTS * FIELDS) as f64 / time / 1e3;
        let ratio = median(&pairs(times, &ours, |time, ours| time / ours));
        table.row(name, &[time, rate, ratio]);
    }
    report.table(&table);
}

/// Moves a map that did not change, in a struct that did: what assembling took, and the pause.
fn unchanged_map() -> (Duration, Duration) {
    let cell = cell(v1::Book::default);
    cell.write().entries = (0..ELEMENTS as u64)
        .map(|number| (number, number.to_string()))
        .collect();
    let (cell, done) = migrate::<v1::Book, v2::Book>(cell, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(cell.read().entries.len(), ELEMENTS);
    end(cell);
    (done.assembling, done.pause)
}

fn unchanged(report: &mut Report) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (assembling, pauses): (Vec<_>, Vec<_>) = (0..ROUNDS)
        .map(|_| unchanged_map())
        .map(|(assembling, pause)| (micros(assembling), micros(pause)))
        .unzip();
    let mut table = Table::new("A map of 1,000,000 entries, unchanged", &["µs"], 1);
    table.row("assembling", &[median(&assembling)]);
    table.row("pause", &[median(&pauses)]);
    report.table(&table);
}

/// Migrates so many elements, and tells the pause and the time until all have migrated.
type Way = fn(usize) -> (Duration, Duration);

/// The ways to migrate many elements.
const WAYS: [(&str, Way); 3] = [
    ("one thread", |count| migration(count, ONE)),
    ("all threads", |count| migration(count, ALL)),
    ("first use", lazy),
];

fn sizes(report: &mut Report) {
    let columns = ["pause ms", "total ms", "of pause", "of total"];
    let mut table = Table::new(
        "Changed elements; last, as parts of one thread's",
        &columns,
        3,
    );
    for exponent in 2..=7 {
        let count = 10_usize.pow(exponent);
        // In turns, so that a machine that is slow for a while is slow for all.
        let mut times = [const { (Vec::new(), Vec::new()) }; WAYS.len()];
        for _ in 0..5 {
            for ((_, way), (pauses, totals)) in WAYS.iter().zip(&mut times) {
                let (pause, total) = way(count);
                pauses.push(millis(pause));
                totals.push(millis(total));
            }
        }
        let (first_pauses, first_totals) = &times[0];
        for ((name, _), (pauses, totals)) in WAYS.iter().zip(&times) {
            let part = |times: &[f64], first: &[f64]| median(&pairs(times, first, |a, b| a / b));
            let row = [
                median(pauses),
                median(totals),
                part(pauses, first_pauses),
                part(totals, first_totals),
            ];
            table.row(&format!("{count}, {name}"), &row);
        }
    }
    report.table(&table);
}

fn main() -> std::io::Result<()> {
    if !hotswap_bench::is_bench() {
        return Ok(());
    }
    let mut report = Report::new("migrate");
    compare(&mut report);
    unchanged(&mut report);
    sizes(&mut report);
    report.finish()
}
