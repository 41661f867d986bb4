//! Versions before the current one that are still in use, and what a swap does about them.

use std::thread;
use std::time::{Duration, Instant};

use hotswap_protocol::lifecycle::State;

use super::Versions;
use crate::engine::fork;
use crate::server::system;
use crate::table;
use crate::third_version::{self, ThirdVersion, Verdict};
use crate::work::{self, WorkKind};

/// How often one looks whether a version is still in use.
const LOOK: Duration = Duration::from_millis(2);

/// A version that was replaced and is in use, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InUse {
    number: u64,
    by: Vec<String>,
}

/// The swap can't go on as long as they are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StillInUse(String);

/// Waits for versions before the current one, or not, as it is set; what a swap should tell. Those that are
/// to be ended are left for [`end`].
pub(crate) fn before_load() -> Result<Option<String>, StillInUse> {
    match third_version::policy() {
        ThirdVersion::Kill { .. } => Ok(None),
        policy => wait(policy),
    }
}

/// Ends what uses versions before the current one, if that is set.
pub(crate) fn end() -> Result<(), StillInUse> {
    let policy = third_version::policy();
    let ThirdVersion::Kill { .. } = policy else {
        return Ok(());
    };
    let replaced = fork::undivided(super::old::replaced);
    let is_old = |version: u64| replaced.contains(&version);
    work::end_of_versions(is_old);
    system::end_handlers(is_old);
    wait(policy).map(drop)
}

fn wait(policy: ThirdVersion) -> Result<Option<String>, StillInUse> {
    let started = Instant::now();
    loop {
        let in_use = fork::undivided(in_use);
        match policy.judge(in_use.len(), started.elapsed()) {
            Verdict::Go => return Ok(None),
            Verdict::Warn => {
                let text = format!(
                    "{} older versions are still in use: {}",
                    in_use.len(),
                    text(&in_use)
                );
                return Ok(Some(text));
            }
            Verdict::Wait => thread::sleep(LOOK),
            Verdict::Refuse => return Err(StillInUse(text(&in_use))),
        }
    }
}

/// All that are in use, oldest first.
fn in_use() -> Vec<InUse> {
    let current = table::current_version();
    let works = work::work();
    let mut versions = Versions::lock();
    versions.notice_drained();
    let of = |number: u64, state: State| {
        let calls = match state {
            State::Draining => table::in_flight(number),
            _ => Vec::new(),
        };
        let calls = calls.into_iter().map(|(entry, calls)| match calls {
            1 => format!("a call of `{entry}`"),
            _ => format!("{calls} calls of `{entry}`"),
        });
        let works = works.iter().filter(|it| it.version == number && number > 0);
        let works = works.map(|it| match it.kind {
            WorkKind::Thread => format!("thread `{}`", it.name),
            WorkKind::Task => format!("task `{}`", it.name),
        });
        calls.chain(works).collect::<Vec<_>>()
    };
    // Code that is current again is no old code.
    let code = versions.code_of_current();
    let all = versions.all.iter();
    let all = all.filter(|it| it.number < current && it.number != code);
    let all = all.map(|it| InUse {
        number: it.number,
        by: of(it.number, it.state),
    });
    all.filter(|it| !it.by.is_empty()).collect()
}

/// How many versions, and how many users of each, are named.
const NAMED: usize = 4;

fn text(in_use: &[InUse]) -> String {
    let one = |InUse { number, by }: &InUse| {
        let more = by.len().saturating_sub(NAMED);
        let mut text = format!("version {number} by {}", by[..by.len() - more].join(", "));
        if more > 0 {
            text += &format!(" and {more} more");
        }
        text
    };
    let named: Vec<String> = in_use.iter().take(NAMED).map(one).collect();
    let mut text = named.join("; ");
    if in_use.len() > NAMED {
        text += &format!("; and {} more versions", in_use.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_named_but_not_all() {
        let by = |count: usize| (0..count).map(|it| format!("u{it}")).collect();
        let one = |number, count| InUse {
            number,
            by: by(count),
        };
        assert_eq!(text(&[one(1, 1)]), "version 1 by u0");
        assert_eq!(
            text(&[one(1, 2), one(3, 6)]),
            "version 1 by u0, u1; version 3 by u0, u1, u2, u3 and 2 more"
        );
        let many: Vec<InUse> = (1..7).map(|number| one(number, 1)).collect();
        assert!(text(&many).ends_with("version 4 by u0; and 2 more versions"));
    }
}
