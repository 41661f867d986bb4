//! Remembers the last name.

use std::sync::Mutex;

static LAST: Mutex<&'static str> = Mutex::new("nobody");

#[hotswap::entry]
pub fn remember(name: String) -> String {
    let before = std::mem::replace(&mut *LAST.lock().unwrap(), name.leak());
    format!("after {before}")
}
