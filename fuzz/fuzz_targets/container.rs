//! `cargo fuzz run container`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::container(bytes));
