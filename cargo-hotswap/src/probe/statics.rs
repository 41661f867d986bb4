//! What an optimising compiler makes something else of where it knows all code that uses it.
#![no_std]

static mut NARROWED: u32 = 0;
static mut WRITTEN: u32 = 0;
static mut READ: u32 = 7;
static mut SPLIT: [u64; 2] = [1, 2];
static mut CALLED: fn(u32) -> u32 = one;

fn one(input: u32) -> u32 {
    input / 7
}

#[unsafe(no_mangle)]
pub fn probe(input: u32) -> u64 {
    // SAFETY: this is compiled, and never run.
    unsafe {
        if input > 9 {
            NARROWED = 5;
        }
        WRITTEN = input;
        SPLIT[0] += 1;
        SPLIT[1] ^= 3;
        u64::from(NARROWED ^ READ ^ CALLED(input)) + SPLIT[0] + SPLIT[1]
    }
}

#[unsafe(no_mangle)]
pub fn probe_one(input: u32) -> u32 {
    (input / 7).rotate_left(3) ^ (input % 11)
}

#[unsafe(no_mangle)]
pub fn probe_other(input: u32) -> u32 {
    (input / 7).rotate_left(3) ^ (input % 11)
}
