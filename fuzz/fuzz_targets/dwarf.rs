//! `cargo fuzz run dwarf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::dwarf(bytes));
