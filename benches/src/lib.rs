//! What the benches share: statistics, packages to edit, the tool, and the floor to compare with.
//!
//! `cargo bench -p hotswap-bench` runs all benches. They print figures and assert none: machines
//! differ, so only what is measured in one run, in turns, is compared.

pub mod figures;
pub mod floor;
pub mod histories;
pub mod large;
pub mod mini_redis;
pub mod others;
pub mod resp;
pub mod servers;
pub mod tiny;
pub mod tool;
pub mod web;
pub mod work;

/// Whether cargo runs this as a bench. Under `cargo test --benches` it is only compiled and
/// started, and must end at once.
pub fn is_bench() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}
