//! `cargo fuzz run frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::frame(bytes));
