//! What is driven step by step, where directives of a scenario don't do:
//! `cargo test -p hotswap-tests --test drivers NAME`.
//!
//! One executable, so that tests that wait leave the processors to others.

mod bad_images;
mod catalogue;
mod cleaning;
mod control;
mod doctor;
mod examples;
mod init;
mod patches;
mod programs;
mod purge;
mod releases;
mod saves;
mod servers;
mod soak;
mod terminal;
mod timings;
mod watching;
