//! What `cargo hotswap run` tells: one closed set of events, and its JSON form.
//!
//! How events look to people is in [`render`], where they go in [`reporter`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::death::Death;

pub mod log;
pub mod render;
pub mod reporter;
pub mod style;
pub mod terminal;

pub use reporter::{MessageFormat, Reporter};

/// Version of the JSON form. Events and fields may be added under one number, and a reader ignores
/// those that it does not know; the number is raised when one changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// Milliseconds spent in the phases of one swap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StaticReport {
    /// Its path.
    pub name: String,
    /// `kept`: the edited initialiser does not apply; `new`: it starts afresh; `gone`: a cell that no code has
    /// any more.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

/// State that a swap carried over to new types.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Migrated {
    /// The paths of the cells that hold it.
    pub cells: Vec<String>,
    /// The types of which something was added, renamed, dropped or converted.
    pub types: Vec<MigratedType>,
    /// Fields that nothing takes over, as `Type.field`: their values are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// How many values got a new layout, elements of containers included.
    pub values: u64,
    /// Milliseconds in which no code could use the cells.
    pub pause_ms: f64,
}

/// A type whose values were carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MigratedType {
    /// Its full name.
    pub name: String,
    /// What became of its parts, one text for each.
    pub changes: Vec<String>,
}

/// A cell whose value goes on in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CarriedCell {
    /// Its path.
    pub cell: String,
    /// How many bytes its value takes on the way.
    pub bytes: u64,
}

/// A cell that had a value and starts afresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FreshCell {
    /// Its path.
    pub cell: String,
    /// The name of the value's type.
    pub type_name: String,
    /// The part of the value that is to blame, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why.
    pub reason: String,
}

/// An edited function that does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StillOld {
    /// Its path.
    pub function: String,
    /// Why, in a word.
    pub cause: OldCause,
    /// Why, in full, and what to do.
    pub reason: String,
}

/// Why an edited function does not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OldCause {
    /// It was called before the swap and has not returned.
    Running,
    /// No entry leads to it.
    Unreached,
}

/// Why a program went back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackCause {
    /// An entry panicked soon after the swap that brought its code.
    Panic,
    /// The program's own code asked for it.
    Program,
    /// Somebody asked the program for it.
    Request,
}

/// Where something stands in the sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Who builds an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Builder {
    /// The compiler alone.
    Rustc,
    /// Cargo, which may take longer.
    Cargo,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The executable stands.
    Built {
        /// Its path.
        executable: PathBuf,
        /// Milliseconds.
        ms: f64,
        /// The compiler's warnings in its own words, where cargo has not written them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The program is about to be started.
    Running {
        /// The executable and its arguments, after the runner that cargo is configured to use.
        command: Vec<String>,
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
    /// Files were saved with other content, and are built now.
    Changed {
        /// The files.
        files: Vec<PathBuf>,
        /// Who builds them.
        builder: Builder,
    },
    /// The edit does not compile; the program, if it was started, runs on as it was.
    CompileError {
        /// The compiler's own words.
        message: String,
        /// What could not be compiled and how many errors that has, as cargo says it.
        summary: String,
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
        /// Crates that were compiled.
        compiled: Vec<String>,
        /// Crates in the image that had no need to be: none of what they take over from others
        /// changed, or they changed in an earlier version.
        relinked: Vec<String>,
        /// Entries that run new code from now on.
        entries: Vec<String>,
        /// Entries whose signature changed: old callers keep the old body.
        reshaped: Vec<String>,
        /// Edited functions that still run old code.
        still_old: Vec<StillOld>,
        /// Statics that were kept or renewed against what one might expect.
        statics: Vec<StaticReport>,
        /// What became of values in cells whose types changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        migrated: Option<Box<Migrated>>,
        /// What the program has to say of the swap: callbacks that panicked, and the like.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        remarks: Vec<String>,
        /// The compiler's warnings that it did not give for the version before, in its own words.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The program went back to older code by itself. The next save goes forward again.
    WentBack {
        /// The number of the version that is current now.
        version: u64,
        /// The version that was current before.
        from: u64,
        /// The version whose code is current again.
        reverts_to: u64,
        /// Why.
        cause: BackCause,
        /// The entry that panicked.
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<String>,
        /// The name of the thread that panicked.
        #[serde(skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
        /// How many values got their former layout, elements of containers included.
        values: u64,
        /// Milliseconds in which no code could use the cells that hold them.
        pause_ms: f64,
    },
    /// A version in the program is in another state of its life.
    Version {
        /// Its number.
        version: u64,
        /// `loading`, `current`, `draining` (replaced, with calls under way), `retained` or `purged`.
        state: String,
    },
    /// The edit can't go live; the program runs on as it was.
    Refused {
        /// A short code.
        reason: &'static str,
        /// What changed, why it can't go live, what to do.
        message: String,
        /// The things named in the message.
        items: Vec<String>,
        /// Where they stand, as far as that is known.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        places: Vec<Place>,
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
    /// What is in cells was saved, for the process that takes the place of this one.
    Saved {
        /// The cells that are saved.
        cells: Vec<CarriedCell>,
        /// Those that are not.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        afresh: Vec<FreshCell>,
        /// Milliseconds in which no code could change a cell.
        pause_ms: f64,
    },
    /// Cells have the values that they had in the process before.
    Restored {
        /// The cells that have.
        cells: Vec<CarriedCell>,
        /// Those that were saved and start afresh nevertheless.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        afresh: Vec<FreshCell>,
        /// Why what was saved could not be read to its end.
        #[serde(skip_serializing_if = "Option::is_none")]
        damage: Option<String>,
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

#[derive(Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap run --message-format=json`")]
struct Line<'a> {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    format: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl Event {
    /// The event as one line of JSON, without the line's end and without colours.
    ///
    /// # Panics
    ///
    /// Never: all keys are strings.
    pub fn json(&self) -> String {
        let line = Line {
            format: FORMAT,
            event: &self.plain(),
        };
        serde_json::to_string(&line).expect("all keys are strings")
    }

    /// The compiler's colours are for terminals.
    fn plain(&self) -> Self {
        let strip = |text: &String| anstream::adapter::strip_str(text).to_string();
        let mut event = self.clone();
        match &mut event {
            Self::CompileError { message, .. } => *message = strip(message),
            Self::Built { warnings, .. } | Self::Swapped { warnings, .. } => {
                warnings.iter_mut().for_each(|text| *text = strip(text));
            }
            _ => {}
        }
        event
    }
}

/// The JSON Schema of the lines.
///
/// # Panics
///
/// Never: a schema is JSON.
pub fn schema() -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Line<'_>>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
