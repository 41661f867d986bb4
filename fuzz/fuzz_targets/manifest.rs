//! `cargo fuzz run manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::manifest(bytes));
