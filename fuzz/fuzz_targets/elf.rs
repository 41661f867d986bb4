//! `cargo fuzz run elf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hotswap_fuzz::elf(bytes));
