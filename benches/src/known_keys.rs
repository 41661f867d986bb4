//! Keys that a Redis server is given, and that it has to know at any time afterwards.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use crate::resp::Client;

/// How many there are.
pub const COUNT: usize = 1000;

fn all() -> impl Iterator<Item = (String, String)> {
    (0..COUNT).map(|number| (format!("known:{number}"), format!("value {number}")))
}

/// Sets them.
///
/// # Errors
///
/// The server does not take one.
pub fn set(client: &mut Client) -> Result<()> {
    all().try_for_each(|(key, value)| client.set(&key, &value))
}

/// The number of those that don't have their values.
///
/// # Errors
///
/// The server does not answer.
pub fn wrong(client: &mut Client) -> Result<usize> {
    let mut wrong = 0;
    for (key, value) in all() {
        wrong += usize::from(client.get(&key)?.as_deref() != Some(&value));
    }
    Ok(wrong)
}

/// Reads all of them over one connection until this is done: how many were read, and of how many the value was wrong.
///
/// # Errors
///
/// The server does not answer.
pub fn read_over(client: &mut Client, done: &AtomicBool) -> Result<(usize, usize)> {
    let mut found = (0, 0);
    while !done.load(Ordering::Relaxed) {
        found.0 += COUNT;
        found.1 += wrong(client)?;
    }
    Ok(found)
}
