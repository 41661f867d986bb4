//! What `cargo hotswap run` tells: one closed set of events, for people or as JSON.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::death::Death;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum MessageFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Milliseconds spent in the phases of one swap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Phases {
    /// From the save to the start of the compiler.
    pub detect: f64,
    /// rustc or cargo.
    pub compile: f64,
    /// Facts, matching of state, layout guard.
    pub check: f64,
    /// Rewriting and linking.
    pub link: f64,
    /// In the program: checking the file, mapping it, the switch.
    pub load: f64,
}

impl Phases {
    /// Each with its name, in the order in which they happen.
    pub fn named(&self) -> [(&'static str, f64); 5] {
        [
            ("detect", self.detect),
            ("compile", self.compile),
            ("check", self.check),
            ("link", self.link),
            ("load", self.load),
        ]
    }

    /// All of them together, in milliseconds.
    pub fn total(&self) -> f64 {
        self.named().iter().map(|(_, ms)| ms).sum()
    }
}

/// A static whose treatment the user may want to know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaticReport {
    /// Its path.
    pub name: String,
    /// `kept`: the edited initialiser does not apply; `new`: it starts afresh.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

/// An edited function that does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillOld {
    /// Its path.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The executable stands.
    Built {
        /// Its path.
        executable: PathBuf,
        /// Milliseconds.
        ms: f64,
    },
    /// The program was started.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// The runtime in the program listens and its facts are known: edits go live from now on.
    Ready {
        /// The process id.
        pid: u32,
        /// The executable's build id.
        build_id: String,
        /// The marked entries.
        entries: Vec<String>,
    },
    /// Files were saved with other content.
    Changed {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// The edit does not compile.
    CompileError {
        /// The compiler's own words.
        message: String,
    },
    /// New code is current, or older code again.
    Swapped {
        /// The version's number.
        version: u64,
        /// If this is a revert: the version whose code it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        reverts_to: Option<u64>,
        /// The files that were edited.
        files: Vec<PathBuf>,
        /// Where the time went.
        phases: Phases,
        /// Entries that run new code from now on.
        entries: Vec<String>,
        /// Entries whose signature changed: old callers keep the old body.
        reshaped: Vec<String>,
        /// Edited functions that still run old code.
        still_old: Vec<StillOld>,
        /// Statics that were kept or renewed against what one might expect.
        statics: Vec<StaticReport>,
    },
    /// The edit can't go live; the program runs on as it was.
    Refused {
        /// A short code.
        reason: &'static str,
        /// What changed, why it can't go live, what to do.
        message: String,
        /// The things named in the message.
        items: Vec<String>,
    },
    /// The edit changes no code.
    Unchanged {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// The tool or the program could not do its part; the program runs on as it was.
    Failed {
        /// What and why.
        message: String,
    },
    /// Something to know.
    Warning {
        /// What.
        message: String,
    },
    /// The program is ended and started again on the newest code.
    Restarting {
        /// Why.
        reason: String,
    },
    /// Somebody asked the tool to end the program, and itself.
    Quitting {
        /// Who.
        reason: String,
    },
    /// The program ended.
    Exited {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// What is known about it.
        #[serde(flatten)]
        death: Death,
    },
    /// The program has ended, and the tool waits for a save or an order to start it again.
    Waiting {
        /// Whether keys are read from the terminal.
        keys: bool,
    },
}

/// Writes events to stderr: stdout is the program's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reporter {
    /// The form.
    pub format: MessageFormat,
    /// Say no more than needed.
    pub quiet: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    format: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl Reporter {
    /// Writes one event. A closed stderr is no reason to end a running program.
    pub fn report(&self, event: &Event) {
        let text = self.line(event, self.format);
        if !text.is_empty() {
            let _ = anstream::stderr().lock().write_all(text.as_bytes());
        }
    }

    /// An event as it is written; empty where people need not see it.
    pub fn line(&self, event: &Event, format: MessageFormat) -> String {
        match format {
            MessageFormat::Json => {
                let line = Line {
                    format: FORMAT,
                    event: &without_colours(event),
                };
                let json = serde_json::to_string(&line).expect("events have string keys only");
                json + "\n"
            }
            MessageFormat::Human => self.human(event),
        }
    }

    /// Writes text of the compiler's, for people only.
    pub fn text(&self, text: &str) {
        if self.format == MessageFormat::Human && !self.quiet {
            let _ = anstream::stderr().lock().write_all(text.as_bytes());
        }
    }

    fn human(&self, event: &Event) -> String {
        match event {
            Event::Built { .. } => String::new(),
            Event::Quitting { reason } => self.status("Quitting", reason),
            Event::Exited {
                code,
                signal,
                death,
            } => match death.error(*signal) {
                Some(error) => error,
                None if *code == Some(0) => String::new(),
                None => self.status("Exited", &death.exit(*code, *signal)),
            },
            Event::Waiting { keys: true } => self.status(
                "Waiting",
                "for a save (press r to start again, q to quit, ? for help)",
            ),
            Event::Waiting { keys: false } => self.status(
                "Waiting",
                "for a save (or `cargo hotswap restart`, `cargo hotswap quit`)",
            ),
            Event::Started { pid } => self.status("Running", &format!("process {pid}")),
            Event::Ready { entries, .. } => self.status("Watching", &watching(entries)),
            Event::Restarting { reason } => self.status("Restarting", reason),
            Event::Changed { files } => self.status("Changed", &names(files)),
            Event::CompileError { message } => format!("{}\n", message.trim_end()),
            Event::Unchanged { files } => {
                self.status("Unchanged", &format!("{} (no code differs)", names(files)))
            }
            Event::Warning { message } => format!("warning: {message}\n"),
            Event::Failed { message } => {
                format!("error: {message}\n = the program runs on as it was\n")
            }
            Event::Refused { message, .. } => format!("error: {}\n", message.trim_end()),
            Event::Swapped { .. } => self.swapped(event),
        }
    }

    fn swapped(&self, event: &Event) -> String {
        let Event::Swapped {
            version,
            reverts_to,
            phases,
            entries,
            reshaped,
            still_old,
            statics,
            ..
        } = event
        else {
            return String::new();
        };
        let total = phases.total();
        let entries = list(entries);
        let mut text = match reverts_to {
            None => self.status(
                "Swapped",
                &format!("to version {version} in {total:.0} ms: {entries}"),
            ),
            Some(to) => self.status(
                "Reverted",
                &format!(
                    "to the code of version {to}, as version {version}, in {total:.0} ms: {entries}"
                ),
            ),
        };
        text += &format!(
            "{:>12} detect {:.0}, compile {:.0}, check {:.0}, link {:.0}, load {:.1} ms\n",
            "", phases.detect, phases.compile, phases.check, phases.link, phases.load
        );
        for entry in reshaped {
            text += &format!(
                "{:>12} the signature of `{entry}` changed: callers in older code keep the old body\n",
                ""
            );
        }
        for old in still_old {
            text += &format!(
                "{:>12} `{}` is still old: {}\n",
                "", old.function, old.reason
            );
        }
        for one in statics {
            text += &format!(
                "{:>12} static `{}` is {}: {}\n",
                "", one.name, one.verdict, one.reason
            );
        }
        text
    }

    fn status(&self, verb: &str, text: &str) -> String {
        if self.quiet {
            String::new()
        } else {
            format!("{verb:>12} {text}\n")
        }
    }
}

/// The compiler's colours are for terminals.
fn without_colours(event: &Event) -> Event {
    match event {
        Event::CompileError { message } => Event::CompileError {
            message: anstream::adapter::strip_str(message).to_string(),
        },
        other => other.clone(),
    }
}

fn watching(entries: &[String]) -> String {
    match entries {
        [] => "(no entry is marked, so no edit can go live)".to_owned(),
        _ => format!("for edits; entries: {}", list(entries)),
    }
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    match names.len() {
        0 => "no entry".to_owned(),
        count if count <= SHOWN => names.join(", "),
        count => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
    }
}

fn names(files: &[PathBuf]) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let names: Vec<String> = files
        .iter()
        .map(|file| {
            file.strip_prefix(&here)
                .unwrap_or(file)
                .display()
                .to_string()
        })
        .collect();
    list(&names)
}
