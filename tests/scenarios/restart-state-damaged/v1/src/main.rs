//! Cells of which one damages what another has saved, and one waits for itself when it is restored.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use hotswap::{Live, Migrate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Saved after the text, in which it turns a letter.
#[derive(Migrate, Default, Deserialize)]
pub struct Vandal(u32);

impl Serialize for Vandal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
            let is_state = |link: &std::path::Path| link.to_string_lossy().contains("memfd:hotswap-state");
            if !fs::read_link(entry.path()).is_ok_and(|link| is_state(&link)) {
                continue;
            }
            let content = fs::read(entry.path()).unwrap();
            if let Some(place) = content.windows(8).position(|it| it == b"precious") {
                let file = OpenOptions::new().write(true).open(entry.path()).unwrap();
                file.write_all_at(b"q", place as u64).unwrap();
            }
        }
        serializer.serialize_u32(self.0)
    }
}

/// Asks for its own cell.
#[derive(Migrate, Default, Serialize)]
pub struct Waiting(u32);

impl<'de> Deserialize<'de> for Waiting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Ok(Self(number + WAITING.read().0))
    }
}

static GOOD: Live<u32> = Live::saved(u32::default);
static TEXT: Live<String> = Live::saved(|| "precious".to_owned());
static VANDAL: Live<Vandal> = Live::saved(Vandal::default);
static WAITING: Live<Waiting> = Live::saved(Waiting::default);

fn main() {
    let mut limits = hotswap::SwapLimits::default();
    limits.functions = std::time::Duration::from_millis(500);
    hotswap::set_swap_limits(limits);
    for _ in io::stdin().lines() {
        println!("{}", tick());
    }
}

#[hotswap::entry]
fn tick() -> String {
    *GOOD.write() += 1;
    TEXT.write().push('!');
    VANDAL.write().0 += 1;
    WAITING.write().0 += 1;
    format!("{} {} {} {}", GOOD.read(), TEXT.read(), VANDAL.read().0, WAITING.read().0)
}
