//! `cargo fuzz run plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::plan(bytes));
