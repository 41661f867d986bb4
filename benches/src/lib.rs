//! What the benches share: statistics, packages to edit, the tool, and the floor to compare with.
//!
//! `cargo bench -p hotswap-bench` runs all benches. They print figures and assert none: machines
//! differ, so only what is measured in one run, in turns, is compared.

pub mod figures;
pub mod floor;
pub mod histories;
pub mod known_keys;
pub mod large;
pub mod mini_redis;
pub mod others;
pub mod patchable;
pub mod redis_benchmark;
pub mod resp;
pub mod servers;
pub mod tiny;
pub mod tool;
pub mod web;
pub mod work;
pub mod wrk;

use anyhow::{Result, ensure};

use figures::Report;

/// A part of a bench, which measures what was built.
pub type Measure<B> = fn(&B, &mut Report) -> Result<()>;

/// Measures all parts, or those that `HOTSWAP_BENCH_PARTS` names, with commas between them.
///
/// # Errors
///
/// A part fails, or there is none of a name.
pub fn measure<B>(
    name: &str,
    build: fn() -> Result<B>,
    parts: &[(&str, Measure<B>)],
) -> Result<()> {
    if !is_bench() {
        return Ok(());
    }
    let named = std::env::var("HOTSWAP_BENCH_PARTS").ok();
    let named: Option<Vec<&str>> = named.as_deref().map(|names| names.split(',').collect());
    let unknown = |name: &&str| parts.iter().all(|(part, _)| part != name);
    let unknown = named.iter().flatten().find(|name| unknown(name));
    ensure!(unknown.is_none(), "{unknown:?} is nothing that is measured");
    let builds = build()?;
    let mut report = Report::new(name);
    for (name, part) in parts {
        if named.as_ref().is_none_or(|named| named.contains(name)) {
            part(&builds, &mut report)?;
        }
    }
    Ok(report.finish()?)
}

/// Whether cargo runs this as a bench. Under `cargo test --benches` it is only compiled and
/// started, and must end at once.
pub fn is_bench() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}
