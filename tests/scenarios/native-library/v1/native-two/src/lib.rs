//! A safe face of the C library.

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    safe fn native_two_name() -> *const c_char;
}

pub fn name() -> &'static str {
    // SAFETY: it is a literal in C.
    unsafe { CStr::from_ptr(native_two_name()) }.to_str().unwrap()
}
