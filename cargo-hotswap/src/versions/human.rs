//! Versions and what keeps them, as people read it.

use std::fmt::Write as _;

use super::{HolderLine, VersionLine, VersionsReport};
use crate::output::plain;
use crate::status::human::{bytes, length};

/// A table of all versions, with what keeps the old ones below each.
pub(super) fn versions(report: &VersionsReport) -> String {
    let mut text = format!("{} (process {})\n", plain(&report.name), report.pid);
    for version in &report.versions {
        let _ = writeln!(text, "{}", plain(&line(version)));
        for reason in reasons(version) {
            let _ = writeln!(text, "       {reason}");
        }
    }
    text
}

/// What a purge did, or would do.
pub(super) fn purge(report: &VersionsReport, is_dry: bool) -> String {
    let mut text = String::new();
    let (verb, ways) = match is_dry {
        true => ("would be purged", "could no longer be gone back to"),
        false => ("is out of memory", "can no longer be gone back to"),
    };
    for number in &report.ways_given_up {
        let _ = writeln!(text, "version {number} {ways}");
    }
    let told = if is_dry { "would be" } else { "was" };
    for name in &report.ended {
        let _ = writeln!(text, "{} {told} told to end", plain(name));
    }
    for version in &report.versions {
        let number = version.number;
        if report.purged.contains(&number) {
            let _ = writeln!(text, "version {number} {verb}");
            for remark in &version.remarks {
                let _ = writeln!(text, "  = {}", plain(remark));
            }
        } else if !version.holders.is_empty() || version.obstacle.is_some() {
            let _ = writeln!(text, "version {number} stays");
            for reason in reasons(version) {
                let _ = writeln!(text, "  = {reason}");
            }
        }
    }
    if text.is_empty() {
        text.push_str("there is no old version in memory\n");
    }
    text
}

fn line(version: &VersionLine) -> String {
    let size = version.mapped_bytes.map_or("-".to_owned(), bytes);
    let (number, state, age) = (version.number, &version.state, length(version.age_ms));
    let mut text = format!("{number:>3}  {state:<9}{size:>10}  {age:>8}");
    for calls in &version.in_flight {
        let plural = if calls.calls == 1 { "call" } else { "calls" };
        let _ = write!(text, "  {} {plural} in {}", calls.calls, calls.entry);
    }
    if version.servers > 0 {
        let plural = if version.servers == 1 { "" } else { "s" };
        let _ = write!(text, "  {} server{plural}", version.servers);
    }
    if let Some(to) = version.reverts_to {
        let _ = write!(text, "  (code of version {to})");
    }
    text
}

fn reasons(version: &VersionLine) -> Vec<String> {
    let holders = version.holders.iter().map(reason);
    let obstacle = version
        .obstacle
        .iter()
        .map(|why| format!("not proven: {why}"));
    let remarks = version.remarks.iter().cloned();
    let all = holders.chain(obstacle).chain(remarks);
    all.map(|reason| plain(&reason)).collect()
}

/// One holder in words.
fn reason(holder: &HolderLine) -> String {
    let name = &holder.name;
    let thread = || match holder.thread {
        Some(number) => format!("thread `{name}` ({number})"),
        None => format!("thread `{name}`"),
    };
    let mut text = match holder.kind.as_str() {
        "calls" => return format!("{} under way in `{name}`", holder.words),
        "entry" => return format!("callers of `{name}`, which newer code does not have"),
        "cell" => return format!("cell `{name}`"),
        "elements" => {
            let pieces = holder.words;
            return format!("elements of `{name}` that have still to migrate, in {pieces} pieces");
        }
        "way-back" => return format!("{name} can go back to it"),
        "shared" => return format!("{name} use what it brought"),
        "signal" => return format!("the handler of signal {name}"),
        "loader" => return name.clone(),
        "stack" => format!("stack of {}", thread()),
        "register" => format!("registers of {}", thread()),
        "static" => {
            let symbol = holder.symbol.as_deref().unwrap_or("?");
            format!("static `{symbol}` of {name}")
        }
        _ => {
            let place = if name.is_empty() { "memory" } else { name };
            format!("{place} at {:#x}", holder.address)
        }
    };
    if let Some(to) = &holder.to {
        let _ = write!(text, ", to `{to}`");
    }
    if !holder.near.is_empty() {
        let near: Vec<_> = holder.near.iter().map(|near| format!("`{near}`")).collect();
        let _ = write!(text, ", beside {}", near.join(", "));
    }
    if holder.words > 1 {
        let _ = write!(text, " ({} times)", holder.words);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(kind: &str, name: &str) -> HolderLine {
        HolderLine {
            kind: kind.to_owned(),
            name: name.to_owned(),
            thread: (kind == "stack").then_some(7),
            address: 0x10,
            to: (kind != "way-back").then(|| "a::f".to_owned()),
            near: match kind {
                "memory" => vec!["a::g".to_owned()],
                _ => Vec::new(),
            },
            words: 2,
            ..HolderLine::default()
        }
    }

    fn report() -> VersionsReport {
        let version = |number, state: &str, holders| VersionLine {
            number,
            state: state.to_owned(),
            age_ms: 61_000,
            mapped_bytes: (number > 0).then_some(2048),
            holders,
            ..VersionLine::default()
        };
        let mut report = VersionsReport {
            name: "app".to_owned(),
            pid: 5,
            purged: vec![1],
            versions: vec![
                version(1, "purged", Vec::new()),
                version(
                    2,
                    "retained",
                    ["stack", "memory", "way-back"]
                        .map(|kind| held_by(kind, "version 3"))
                        .to_vec(),
                ),
                version(3, "current", Vec::new()),
            ],
            ..VersionsReport::default()
        };
        report.versions[1].obstacle = Some("no time".to_owned());
        (report.versions[1].servers, report.versions[2].servers) = (1, 12);
        report
    }

    #[test]
    fn versions_with_their_holders() {
        let expected = "\
app (process 5)
  1  purged      2.0 KiB     1 min
  2  retained    2.0 KiB     1 min  1 server
       stack of thread `version 3` (7), to `a::f` (2 times)
       version 3 at 0x10, to `a::f`, beside `a::g` (2 times)
       version 3 can go back to it
       not proven: no time
  3  current     2.0 KiB     1 min  12 servers
";
        assert_eq!(versions(&report()), expected);
    }

    #[test]
    fn what_a_purge_did_and_would_do() {
        let report = report();
        let (did, would) = (purge(&report, false), purge(&report, true));
        assert!(
            did.starts_with("version 1 is out of memory\nversion 2 stays\n  = stack"),
            "{did}"
        );
        assert!(
            would.starts_with("version 1 would be purged\nversion 2 stays\n"),
            "{would}"
        );
        let nothing = purge(&VersionsReport::default(), false);
        assert_eq!(nothing, "there is no old version in memory\n");
    }
}
