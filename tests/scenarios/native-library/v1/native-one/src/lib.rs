//! A safe face of the C library.

use std::ffi::{CStr, c_char, c_int};

unsafe extern "C" {
    safe fn native_one_count() -> c_int;
    safe fn native_one_seldom() -> c_int;
    safe fn native_one_name() -> *const c_char;
}

pub fn count() -> i32 {
    native_one_count()
}

pub fn seldom() -> i32 {
    native_one_seldom()
}

pub fn name() -> &'static str {
    // SAFETY: it is a literal in C.
    unsafe { CStr::from_ptr(native_one_name()) }.to_str().unwrap()
}
