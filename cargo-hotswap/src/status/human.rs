//! The status of a program as people read it.

use std::fmt::Write as _;
use std::path::Path;

use super::{Activity, ProgramStatus, RunStatus, Swap, SwapOutcome, VersionInfo};
use crate::output::plain;
use crate::session::journal::now_ms;

/// How many of the last swaps are shown.
const SHOWN_SWAPS: usize = 8;

/// How many entries are shown.
const SHOWN_ENTRIES: usize = 6;

/// How many lines of an error are shown.
const SHOWN_LINES: usize = 12;

/// All about a program, with a heading.
pub fn program(status: &ProgramStatus) -> String {
    let mut text = heading(status);
    let folder = status.run.as_ref().map(|run| run.workspace.as_path());
    if let Some(folder) = folder {
        line(&mut text, "workspace", &folder.display().to_string());
    }
    line(&mut text, "executable", &inside(&status.executable, folder));
    match &status.run {
        Some(run) => line(&mut text, "tool", &tool(run)),
        None => line(
            &mut text,
            "tool",
            "none: it has ended or does not answer, so no edit goes live",
        ),
    }
    if let Some(start) = status.run.as_ref().and_then(|run| run.starts.last()) {
        if !start.entries.is_empty() {
            line(&mut text, "entries", &some(&start.entries, SHOWN_ENTRIES));
        }
        if let Some(reason) = &start.reason {
            let age = ago(start.at_ms);
            line(
                &mut text,
                "start",
                &format!("{}, {age}: {reason}", start.number),
            );
        }
    }
    let versions = status.versions.iter().map(|it| version(it, folder));
    lines(&mut text, "versions", versions);
    if let Some(run) = &status.run {
        let last = run.swaps.len().saturating_sub(SHOWN_SWAPS);
        lines(
            &mut text,
            "swaps",
            swaps(&run.swaps[last..], folder).into_iter(),
        );
        if last > 0 {
            line(&mut text, "", &format!("and {last} before"));
        }
        // The heading tells of an end.
        let error = run
            .last_error
            .as_ref()
            .filter(|error| error.kind != "exited");
        if let Some(error) = error {
            line(
                &mut text,
                "last error",
                &format!("{}, {}", error.kind, ago(error.at_ms)),
            );
            let shown = error.message.lines().take(SHOWN_LINES);
            lines(&mut text, "", shown.map(|line| format!("| {line}")));
            let more = error.message.lines().count().saturating_sub(SHOWN_LINES);
            if more > 0 {
                line(&mut text, "", &format!("| and {more} lines more"));
            }
        }
    }
    text
}

fn heading(status: &ProgramStatus) -> String {
    let bold = clap::builder::styling::Style::new().bold();
    let start = status.run.as_ref().and_then(|run| run.starts.last());
    let up = start.map(|start| format!(", up {}", length(since(start.at_ms))));
    let state = match (status.pid, start.and_then(|start| start.end.as_ref())) {
        (Some(pid), _) if status.answers => format!(
            "process {pid}, version {}{}",
            status.version,
            up.unwrap_or_default()
        ),
        (Some(pid), _) => format!("process {pid}, which does not answer"),
        (None, Some(end)) => {
            let how = end.death.as_ref();
            let how = how.map(|death| death.exit(end.code, end.signal));
            format!(
                "ended {}: {}",
                ago(end.at_ms),
                how.unwrap_or_else(|| "by its tool".to_owned())
            )
        }
        (None, None) => "not running".to_owned(),
    };
    format!("{bold}{}{bold:#} {}\n", plain(&status.name), plain(&state))
}

fn tool(run: &RunStatus) -> String {
    let activity = match run.activity {
        Activity::Starting => "looking at the program",
        Activity::Watching => "watching for edits",
        Activity::Swapping => "making an edit live",
        Activity::Building => "building, to start the program again",
        Activity::Ending => "waiting for the program to end",
        Activity::Waiting => "waiting for a save to start the program again",
        Activity::Deaf => "no edit can go live in this program",
    };
    format!(
        "process {}, profile {}: {activity}",
        run.tool_pid, run.profile
    )
}

/// A path, from this folder on if it lies there.
fn inside(path: &Path, folder: Option<&Path>) -> String {
    let inside = folder.and_then(|folder| path.strip_prefix(folder).ok());
    inside.unwrap_or(path).display().to_string()
}

fn version(version: &VersionInfo, folder: Option<&Path>) -> String {
    let size = match &version.image {
        Some(image) => bytes(image.mapped_bytes),
        None => "-".to_owned(),
    };
    let (number, state, age) = (version.number, &version.state, length(version.age_ms));
    let mut text = format!("{number:>3}  {state:<9}{size:>10}  {age:>8}");
    for calls in &version.in_flight {
        let plural = if calls.calls == 1 { "call" } else { "calls" };
        let _ = write!(text, "  {} {plural} in {}", calls.calls, calls.entry);
    }
    if let Some(label) = &version.label {
        let _ = write!(text, "  ({label})");
    }
    if let Some(image) = &version.image {
        let _ = write!(text, "  {}", inside(&image.path, folder));
    }
    text
}

/// The newest first, with a line between those of different starts.
fn swaps(swaps: &[Swap], folder: Option<&Path>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = swaps.last().map_or(0, |swap| swap.start);
    for one in swaps.iter().rev() {
        if one.start != start {
            start = one.start;
            lines.push(format!("     in start {start}:"));
        }
        lines.push(swap(one, folder));
    }
    lines
}

fn swap(swap: &Swap, folder: Option<&Path>) -> String {
    let what = match (swap.outcome, swap.version, swap.reverts_to) {
        (SwapOutcome::Swapped, Some(version), Some(to)) => format!("{version:>3}  revert to {to}"),
        (SwapOutcome::Swapped, Some(version), None) => format!("{version:>3}  swapped"),
        (outcome, _, _) => format!("  -  {}", outcome.word()),
    };
    let files = swap.files.iter().map(|file| inside(file, folder));
    let files = some(&files.collect::<Vec<_>>(), 3);
    let text = format!(
        "{what:<18}{:>8.0} ms  {:>12}  {files}",
        swap.ms,
        ago(swap.at_ms)
    );
    text.trim_end().to_owned()
}

/// Adds a line with a label.
fn line(text: &mut String, label: &str, content: &str) {
    let _ = writeln!(text, "  {label:<12}{}", plain(content));
}

/// Adds lines, the first of which has a label.
fn lines(text: &mut String, label: &str, contents: impl Iterator<Item = String>) {
    for (at, content) in contents.enumerate() {
        line(text, if at == 0 { label } else { "" }, &content);
    }
}

/// The first of some names.
fn some(names: &[String], shown: usize) -> String {
    match names.len().checked_sub(shown) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..shown].join(", ")),
    }
}

fn since(at_ms: u64) -> u64 {
    now_ms().saturating_sub(at_ms)
}

fn ago(at_ms: u64) -> String {
    format!("{} ago", length(since(at_ms)))
}

/// A length of time in the unit that people would use.
pub fn length(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A size in the unit that people would use.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{bytes, length, program};
    use crate::death::{Death, signal_name};
    use crate::session::journal::now_ms;
    use crate::status::{
        CallsInfo, End, ImageInfo, LastError, ProgramStatus, RunStatus, Start, Swap, SwapOutcome,
        VersionInfo,
    };

    fn running() -> ProgramStatus {
        let now = now_ms();
        let start = Start {
            number: 2,
            pid: 7,
            at_ms: now - 61_000,
            reason: Some("asked for".to_owned()),
            entries: vec!["chat::line".to_owned()],
            version: 1,
            end: None,
        };
        let swap = Swap {
            at_ms: now - 30_000,
            start: 2,
            first: true,
            files: vec![PathBuf::from("/w/src/main.rs")],
            outcome: SwapOutcome::Swapped,
            version: Some(1),
            ms: 141.6,
            ..Swap::default()
        };
        let run = RunStatus {
            tool_pid: 6,
            name: "chat".to_owned(),
            workspace: PathBuf::from("/w"),
            profile: "dev".to_owned(),
            starts: vec![start],
            swaps: vec![swap],
            last_error: Some(LastError {
                at_ms: now - 10_000,
                kind: "refused".to_owned(),
                message: "no\nno".to_owned(),
            }),
            ..RunStatus::default()
        };
        let image = ImageInfo {
            path: PathBuf::from("/t/v1.so"),
            base: 4096,
            mapped_bytes: 20_480,
        };
        let in_flight = vec![CallsInfo {
            entry: "chat::ask".to_owned(),
            calls: 1,
        }];
        ProgramStatus {
            name: "chat".to_owned(),
            pid: Some(7),
            executable: PathBuf::from("/w/target/debug/chat"),
            answers: true,
            version: 1,
            versions: vec![
                VersionInfo {
                    state: "draining".to_owned(),
                    age_ms: 61_000,
                    in_flight,
                    ..VersionInfo::default()
                },
                VersionInfo {
                    number: 1,
                    state: "current".to_owned(),
                    age_ms: 30_000,
                    image: Some(image),
                    ..VersionInfo::default()
                },
            ],
            run: Some(run),
        }
    }

    #[test]
    fn a_running_program() {
        let text = anstream::adapter::strip_str(&program(&running())).to_string();
        assert_eq!(
            text,
            "chat process 7, version 1, up 1 min\n  \
             workspace   /w\n  \
             executable  target/debug/chat\n  \
             tool        process 6, profile dev: looking at the program\n  \
             entries     chat::line\n  \
             start       2, 1 min ago: asked for\n  \
             versions      0  draining          -     1 min  1 call in chat::ask\n\
             \x20               1  current    20.0 KiB      30 s  /t/v1.so\n  \
             swaps         1  swapped           142 ms      30 s ago  src/main.rs\n  \
             last error  refused, 10 s ago\n\
             \x20             | no\n\
             \x20             | no\n"
        );
    }

    #[test]
    fn one_that_ended_and_one_without_its_tool() {
        let mut ended = running();
        ended.pid = None;
        if let Some(run) = &mut ended.run {
            run.starts[0].end = Some(End {
                at_ms: now_ms(),
                code: None,
                signal: Some(11),
                death: Some(Death {
                    pid: 7,
                    version: 1,
                    signal_name: signal_name(11),
                    ..Death::default()
                }),
            });
        }
        let text = anstream::adapter::strip_str(&program(&ended)).to_string();
        let first = "chat ended 0 s ago: process 7 by SIGSEGV (signal 11), in version 1\n";
        assert!(text.starts_with(first), "{text}");
        let mut alone = running();
        alone.run = None;
        let text = anstream::adapter::strip_str(&program(&alone)).to_string();
        assert!(text.starts_with("chat process 7, version 1\n"), "{text}");
        assert!(text.contains("tool        none:"), "{text}");
    }

    #[test]
    fn lengths_and_sizes() {
        let lengths = [999, 59_999, 60_000, 3_600_000, 172_800_000].map(length);
        assert_eq!(lengths, ["0 s", "59 s", "1 min", "1 h", "2 d"]);
        assert_eq!(
            [12, 2048, 3 << 20].map(bytes),
            ["12 B", "2.0 KiB", "3.0 MiB"]
        );
    }
}
