//! What is known about runs: the shapes of `cargo hotswap status --message-format=json`.
//!
//! The tool keeps a [`RunStatus`] of its run; the verb adds what the programs say of themselves.
//! `docs/status.schema.json` is made from these types. Times are milliseconds since 1970, as
//! `at_ms`; lengths of time are milliseconds, as `ms`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::death::Death;

pub mod command;
pub mod follow;
pub mod human;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// What `cargo hotswap status --message-format=json` prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap status --message-format=json`")]
pub struct StatusReport {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// All programs that were asked for, by process id.
    pub programs: Vec<ProgramStatus>,
}

/// The JSON Schema of what a type is written as.
///
/// # Panics
///
/// Never: a schema is JSON.
pub fn schema<T: JsonSchema>() -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// One program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ProgramStatus {
    /// The name by which `--name` finds it.
    pub name: String,
    /// Its process id; null if its tool has none running at the moment.
    pub pid: Option<u32>,
    /// Its executable.
    pub executable: PathBuf,
    /// Whether the program itself answered: `version` and `versions` are of no meaning otherwise.
    pub answers: bool,
    /// The version that is current.
    pub version: u64,
    /// All versions since the program was started, oldest first.
    pub versions: Vec<VersionInfo>,
    /// The run of the tool that started it; null if that has ended or does not answer.
    pub run: Option<RunStatus>,
}

/// One version of a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct VersionInfo {
    /// Its number; 0 is the program as it was started.
    pub number: u64,
    /// `loading`, `current`, `draining` (calls are under way in it), `retained` (nothing was seen
    /// to run in it) or `purged`.
    pub state: String,
    /// Milliseconds since it was loaded.
    pub age_ms: u64,
    /// What the patch was called.
    pub label: Option<String>,
    /// Its image; null for the program's own code.
    pub image: Option<ImageInfo>,
    /// Entries with counted calls under way in it.
    pub in_flight: Vec<CallsInfo>,
}

/// An image in memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ImageInfo {
    /// The file it was loaded from.
    pub path: PathBuf,
    /// The first address it occupies.
    pub base: u64,
    /// Bytes of address space it occupies.
    pub mapped_bytes: u64,
}

/// Calls under way in one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct CallsInfo {
    /// The entry.
    pub entry: String,
    /// How many calls and unfinished futures.
    pub calls: u64,
}

/// One run of the tool, from `cargo hotswap run` to its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunStatus {
    /// The tool's process id.
    pub tool_pid: u32,
    /// The tool's version.
    pub tool_version: String,
    /// When the tool began.
    pub at_ms: u64,
    /// The name of the program.
    pub name: String,
    /// The program's executable.
    pub executable: PathBuf,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// Cargo's target folder.
    pub target_directory: PathBuf,
    /// Cargo's profile.
    pub profile: String,
    /// What the tool is at.
    pub activity: Activity,
    /// The starts of the program, oldest first; the last is the present one.
    pub starts: Vec<Start>,
    /// The edits and how each ended, oldest first. At most 10,000 are kept.
    pub swaps: Vec<Swap>,
    /// What went wrong last, if nothing went right since.
    pub last_error: Option<LastError>,
}

/// What a tool is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// The program was started, and is being looked at.
    #[default]
    Starting,
    /// It waits for a save.
    Watching,
    /// It makes an edit live.
    Swapping,
    /// It builds the program to start it again.
    Building,
    /// It waits for the program to end.
    Ending,
    /// The program has ended, and the tool waits for a save or an order.
    Waiting,
    /// The program runs, and no edit can go live.
    Deaf,
}

/// One start of the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Start {
    /// Counted from 1.
    pub number: u32,
    /// The program's process id.
    pub pid: u32,
    /// When.
    pub at_ms: u64,
    /// Why it was started again; null for the first.
    pub reason: Option<String>,
    /// The marked entries, once they are known.
    pub entries: Vec<String>,
    /// The version that is current.
    pub version: u64,
    /// How it ended; null while it runs.
    pub end: Option<End>,
}

/// The end of a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct End {
    /// When.
    pub at_ms: u64,
    /// The exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What else is known; null where the tool itself ended the program to start it again.
    pub death: Option<Death>,
}

/// An edit, or a revert, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Swap {
    /// When it ended.
    pub at_ms: u64,
    /// The number of the start of the program that it was made in.
    pub start: u32,
    /// Whether it is the first edit of that start, which is slower than the others.
    pub first: bool,
    /// The edited files; none for a revert.
    pub files: Vec<PathBuf>,
    /// How it ended.
    pub outcome: SwapOutcome,
    /// The version that it made current.
    pub version: Option<u64>,
    /// If it is a revert: the version whose code it is.
    pub reverts_to: Option<u64>,
    /// Milliseconds from the save to the end.
    pub ms: f64,
    /// Where they went, in order; none unless it went live.
    pub phases: Vec<Phase>,
    /// Entries that run new code since.
    pub entries: Vec<String>,
    /// What was said, if it did not go live.
    pub message: Option<String>,
}

/// How an edit ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwapOutcome {
    /// It went live.
    Swapped,
    /// It changed no code.
    Unchanged,
    /// It can't go live.
    Refused,
    /// It does not compile.
    CompileError,
    /// It asked for a restart of the program.
    Restarted,
    /// The tool or the program could not do its part.
    #[default]
    #[serde(other)]
    Failed,
}

impl SwapOutcome {
    /// As it stands in the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::CompileError => "compile-error",
            Self::Restarted => "restarted",
            Self::Failed => "failed",
        }
    }
}

/// A part of the time that a swap took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `detect`, `compile`, `check`, `link`, `load`, in this order.
    pub name: String,
    /// Milliseconds.
    pub ms: f64,
}

/// Something that went wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LastError {
    /// When.
    pub at_ms: u64,
    /// `compile-error`, `refused`, `failed` or `exited`.
    pub kind: String,
    /// What was said.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{StatusReport, schema};
    use crate::base::build;
    use crate::control::crates::ModulesLine;
    use crate::patch::{line, show};
    use crate::release::ReleaseLine;
    use crate::servers::ServersLine;
    use crate::timings::TimingsReport;
    use crate::versions::VersionsReport;

    #[test]
    fn the_schemas_are_up_to_date() {
        for (file, now) in [
            ("build.schema.json", schema::<build::Line<'_>>()),
            ("modules.schema.json", schema::<ModulesLine>()),
            ("patch-file.schema.json", schema::<show::Summary>()),
            ("patch-verify.schema.json", schema::<show::Verdict>()),
            ("patches.schema.json", schema::<line::Line>()),
            ("release.schema.json", schema::<ReleaseLine>()),
            ("servers.schema.json", schema::<ServersLine>()),
            ("status.schema.json", schema::<StatusReport>()),
            ("timings.schema.json", schema::<TimingsReport>()),
            ("versions.schema.json", schema::<VersionsReport>()),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../docs")
                .join(file);
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if now != kept && std::env::var_os("INSTA_UPDATE").is_some_and(|how| how == "always") {
                std::fs::write(&path, &now).expect("the schema can be written");
            } else {
                assert!(
                    now == kept,
                    "docs/{file} is not what is printed; write it anew with\n\
                     INSTA_UPDATE=always cargo test -p cargo-hotswap schema"
                );
            }
        }
    }
}
