//! Events as people see them, in cargo's manner: pure, from an event to text.

use std::path::{Component, Path, PathBuf};

use anstyle::Style;

use super::style::{self, BOLD, ERROR, GOOD, GUTTER, INFO, WARN, fitted, paint, status};
use super::{BackCause, Builder, Event, Migrated, OldCause, Phases, StaticReport, StillOld};
use crate::death::Death;

mod handover;
pub mod names;

/// How the text shall look. It has colours in any case; who writes it takes them out.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The terminal's columns; without them, lists are shown in full.
    pub width: Option<usize>,
    /// Tell every detail.
    pub verbose: bool,
    /// No status lines.
    pub quiet: bool,
    /// The program has ended, and errors need not say that it runs on.
    pub ended: bool,
    /// The folder that paths are shown relative to.
    pub folder: PathBuf,
}

impl Look {
    /// A line about what goes on.
    fn line(&self, style: Style, verb: &str, text: &str) -> String {
        match self.quiet {
            true => String::new(),
            false => status(style, verb, text),
        }
    }

    /// A line for those who want to know everything.
    fn detail(&self, verb: &str, text: &str) -> String {
        match self.verbose {
            true => self.line(INFO, verb, text),
            false => String::new(),
        }
    }

    /// A text that names as many of these as fit.
    fn listing(&self, names: &[String], compose: impl Fn(&str) -> String) -> String {
        fitted(self.width, [names, &[]], |names, _| compose(names))
    }
}

/// The text of an event; empty where people are told nothing.
pub fn human(event: &Event, look: &Look) -> String {
    let mut look = look.clone();
    if look.verbose {
        look.width = None;
    }
    let look = &look;
    match event {
        Event::Built { .. } => String::new(),
        Event::Running { command } => look.line(GOOD, "Running", &shell_line(command)),
        Event::Started { pid } => look.detail("Process", &pid.to_string()),
        Event::Ready { entries, .. } => look.line(GOOD, "Watching", &watching(entries, look)),
        Event::Changed { files, builder } => changed(files, *builder, look),
        Event::CompileError { message, summary } => compile_error(message, summary, look),
        Event::Swapped { warnings, .. } => warnings.concat() + &swapped(event, look),
        Event::WentBack { .. } => went_back(event, look),
        Event::Version { .. } => String::new(),
        Event::Refused { message, .. } => refused(message),
        Event::Unchanged { files } => {
            let compose = |files: &str| format!("{files} (no code differs)");
            let text = look.listing(&paths(files, look), compose);
            look.line(GOOD, "Unchanged", &text)
        }
        Event::Failed { message } => failed(message, look),
        Event::Warning { message } => warning(message),
        Event::Restarting { reason } => look.line(GOOD, "Restarting", reason),
        Event::Saved { .. } | Event::Restored { .. } => handover::human(event, look),
        Event::Quitting { reason } => look.line(GOOD, "Quitting", reason),
        Event::Waiting { keys } => look.line(GOOD, "Waiting", waiting(*keys)),
        Event::Exited {
            code,
            signal,
            death,
        } => exited(*code, *signal, death, look),
    }
}

/// The text of a warning.
pub fn warning(message: &str) -> String {
    labelled(WARN, "warning", Style::new(), message)
}

/// The text of an error of the tool itself, with what caused it.
pub fn error(message: &str, causes: &[String]) -> String {
    let mut text = labelled(ERROR, "error", Style::new(), message);
    for cause in causes {
        let cause = cause.trim_end().replace('\n', "\n  ");
        text += &format!("\nCaused by:\n  {cause}\n");
    }
    text
}

/// A path relative to the folder that the tool was started in, if it lies there. `include_str!` has
/// the compiler name files as `src/../text`, which people call `text`.
pub fn path(path: &Path, look: &Look) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let named = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if named => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    let shown = plain.strip_prefix(&look.folder).unwrap_or(&plain);
    shown.display().to_string()
}

fn paths(files: &[PathBuf], look: &Look) -> Vec<String> {
    files.iter().map(|file| path(file, look)).collect()
}

/// A command as cargo shows it.
fn shell_line(command: &[String]) -> String {
    let words = command.iter().enumerate().map(|(at, word)| match at {
        0 => word.into(),
        _ => shell_escape::escape(word.into()),
    });
    format!("`{}`", words.collect::<Vec<_>>().join(" "))
}

fn watching(entries: &[String], look: &Look) -> String {
    let word = match entries.len() {
        0 => return "(no entry is marked, so no edit can go live)".to_owned(),
        1 => "entry",
        _ => "entries",
    };
    look.listing(&names::of(entries, look), |entries| {
        format!("for edits ({word} {entries})")
    })
}

/// Cargo may take its time, so people are told that it is at work.
fn changed(files: &[PathBuf], builder: Builder, look: &Look) -> String {
    let files = paths(files, look);
    match builder {
        Builder::Rustc => look.detail("Changed", &look.listing(&files, str::to_owned)),
        Builder::Cargo => {
            let text = look.listing(&files, |files| format!("with cargo ({files} changed)"));
            look.line(GOOD, "Building", &text)
        }
    }
}

fn failed(message: &str, look: &Look) -> String {
    let mut message = message.trim_end().to_owned();
    if !look.ended {
        message += "\n  = note: the program runs on as it was";
    }
    labelled(ERROR, "error", Style::new(), &message)
}

fn waiting(keys: bool) -> &'static str {
    match keys {
        true => "for a save (press r to start again, q to quit, ? for help)",
        false => "for a save (or `cargo hotswap restart`, `cargo hotswap quit`)",
    }
}

/// With `-q`, the exit code is all that is told, as with cargo.
fn exited(code: Option<i32>, signal: Option<i32>, death: &Death, look: &Look) -> String {
    match death.error(signal) {
        _ if look.quiet => String::new(),
        Some(message) => labelled(ERROR, "error", Style::new(), &message),
        None if code == Some(0) => String::new(),
        None => status(INFO, "Exited", &death.exit(code, signal)),
    }
}

fn swapped(event: &Event, look: &Look) -> String {
    let Event::Swapped {
        version,
        reverts_to,
        files,
        phases,
        compiled,
        relinked,
        entries,
        reshaped,
        still_old,
        statics,
        migrated,
        remarks,
        ..
    } = event
    else {
        return String::new();
    };
    let total = phases.total();
    let (verb, what) = match reverts_to {
        Some(to) => ("Reverted", vec![format!("to the code of version {to}")]),
        None => ("Swapped", paths_or_code(files, look)),
    };
    let lists = [&what[..], &names::of(entries, look)];
    let kept = statics_in_short(statics, look);
    let text = fitted(look.width, lists, |files, entries| {
        let version = format!("version {version}");
        let parts = [&version, entries, &kept].into_iter();
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        format!("{files} in {total:.0} ms ({})", parts.join("; "))
    });
    let mut text = look.line(GOOD, verb, &text);
    text += &look.detail("Phases", &in_phases(phases));
    for (verb, crates) in [("Compiled", compiled), ("Relinked", relinked)] {
        if !crates.is_empty() {
            text += &look.detail(verb, &crates.join(", "));
        }
    }
    text.extend(migrated.iter().map(|state| migrated_state(state, look)));
    text += &reshaped_entries(reshaped, look);
    text += &old_functions(still_old, look);
    text.extend(statics.iter().map(|one| static_in_full(one, look)));
    text.extend(remarks.iter().map(|remark| warning(remark)));
    text
}

fn went_back(event: &Event, look: &Look) -> String {
    let Event::WentBack {
        version,
        from,
        reverts_to,
        cause,
        entry,
        values,
        pause_ms,
        ..
    } = event
    else {
        return String::new();
    };
    let entry = names::of(entry.as_slice(), look).concat();
    let why = match cause {
        BackCause::Panic => format!("{entry} panicked in version {from}"),
        BackCause::Program => "its own code asked for it".to_owned(),
        BackCause::Request => "somebody asked it to".to_owned(),
    };
    let text = format!("to the code of version {reverts_to} (version {version}): {why}");
    let mut text = look.line(WARN, "Went back", &text);
    if *values > 0 {
        let amount = format!("{values} values to their former types, paused for {pause_ms:.1} ms");
        text += &look.detail("Migrated", &amount);
    }
    text + &look.line(INFO, "Note", "the next save goes forward again")
}

/// The edited files; what was built without an edit is called what it is.
fn paths_or_code(files: &[PathBuf], look: &Look) -> Vec<String> {
    match files {
        [] => vec!["code".to_owned()],
        files => paths(files, look),
    }
}

fn in_phases(phases: &Phases) -> String {
    format!(
        "detect {:.0}, compile {:.0}, check {:.0}, link {:.0}, load {:.1} ms",
        phases.detect, phases.compile, phases.check, phases.link, phases.load
    )
}

/// State that was carried over: how much and how long, and what changed.
fn migrated_state(state: &Migrated, look: &Look) -> String {
    let values = match state.values {
        1 => "1 value".to_owned(),
        more => format!("{more} values"),
    };
    let amount = format!("{values}, paused for {:.1} ms", state.pause_ms);
    let text = look.listing(&names::of(&state.cells, look), |cells| {
        format!("{cells} ({amount})")
    });
    let mut text = look.line(GOOD, "Migrated", &text);
    if !state.dropped.is_empty() {
        let listed = look.listing(&names::of(&state.dropped, look), |fields| {
            format!("{fields}: nothing takes over what was there")
        });
        text += &look.line(WARN, "Dropped", &listed);
    }
    for of in &state.types {
        let name = names::of(std::slice::from_ref(&of.name), look).concat();
        text += &look.detail("Type", &format!("{name}: {}", of.changes.join("; ")));
    }
    text
}

fn reshaped_entries(reshaped: &[String], look: &Look) -> String {
    if reshaped.is_empty() {
        return String::new();
    }
    let text = look.listing(&names::of(reshaped, look), |names| {
        format!("{names}: callers in older code keep the body of the old signature")
    });
    look.line(WARN, "Reshaped", &text)
}

fn old_functions(still_old: &[StillOld], look: &Look) -> String {
    if look.verbose {
        let line = |old: &StillOld| {
            let text = format!("{}: {}", old.function, old.reason);
            look.line(WARN, "Still old", &text)
        };
        return still_old.iter().map(line).collect();
    }
    let causes = [
        (OldCause::Running, "runs already"),
        (OldCause::Unreached, "not reached from any entry"),
    ];
    let line = |(cause, words): (OldCause, &str)| {
        let functions = still_old.iter().filter(|old| old.cause == cause);
        let functions: Vec<String> = functions.map(|old| old.function.clone()).collect();
        if functions.is_empty() {
            return String::new();
        }
        let names = names::of(&functions, look);
        let text = look.listing(&names, |names| format!("{names}: {words}"));
        look.line(WARN, "Still old", &text)
    };
    causes.into_iter().map(line).collect()
}

/// The first static of which one might expect something else; how it and others fared is told
/// with `-v`.
fn statics_in_short(statics: &[StaticReport], look: &Look) -> String {
    let Some((first, others)) = statics.split_first() else {
        return String::new();
    };
    let name = names::of(std::slice::from_ref(&first.name), look).concat();
    match others.len() {
        0 => format!("{name} {}", first.verdict),
        more => format!("{name} {} and {more} more", first.verdict),
    }
}

fn static_in_full(one: &StaticReport, look: &Look) -> String {
    let verb = match one.verdict {
        "new" => "New",
        "gone" => "Gone",
        _ => "Kept",
    };
    look.detail(verb, &format!("{}: {}", one.name, one.reason))
}

/// The compiler's messages, and the line that cargo ends them with.
fn compile_error(message: &str, summary: &str, look: &Look) -> String {
    let mut text = message.trim_end().to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    let runs_on = if look.ended {
        ""
    } else {
        "; the program runs on"
    };
    text + &labelled(ERROR, "error", Style::new(), &format!("{summary}{runs_on}"))
}

/// A refusal looks like an error of the compiler's. It may consist of several, with an empty line
/// between them.
fn refused(message: &str) -> String {
    let parts = message.split("\n\n");
    let parts: Vec<String> = parts
        .map(|part| labelled(ERROR, "error", BOLD, part))
        .collect();
    parts.join("\n")
}

/// A message with its label. Its first line, in the style `head`, says what is the matter; others
/// may be `--> place`, `= why: …`, `= help: …`, or an excerpt behind `|`.
fn labelled(style: Style, label: &str, head: Style, message: &str) -> String {
    let mut lines = message.trim_end().lines();
    let first = format!(": {}", lines.next().unwrap_or_default());
    let mut text = format!("{}{}\n", paint(style, label), paint(head, first));
    for line in lines {
        text += &detail(line);
        text.push('\n');
    }
    text
}

/// A line below the first of a message.
fn detail(line: &str) -> String {
    let rest = line.trim_start();
    let indent = &line[..line.len() - rest.len()];
    if let Some(place) = rest.strip_prefix("--> ") {
        return format!("{indent}{}{place}", paint(GUTTER, "--> "));
    }
    if let Some(excerpt) = rest.strip_prefix('|') {
        return format!("{indent}{}{excerpt}", paint(GUTTER, "|"));
    }
    let note = rest
        .strip_prefix("= ")
        .and_then(|note| note.split_once(": "));
    match note {
        Some((word, words)) => {
            let style = if word == "help" { style::HELP } else { BOLD };
            let sign = paint(GUTTER, "= ");
            format!("{indent}{sign}{}: {words}", paint(style, word))
        }
        None => line.to_owned(),
    }
}
