//! Settings: flags, environment, `hotswap.toml` and manifests, in this order.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::Serialize;

use crate::project::Project;
use layer::Layer;

mod layer;
pub mod show;
#[cfg(test)]
mod tests;

/// The file in the workspace's folder.
pub const FILE: &str = "hotswap.toml";

/// Whether files are looked at again and again, rather than waiting for events alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Poll {
    /// Where events can be missing.
    #[default]
    WhereNeeded,
    /// Everywhere, with this pause.
    Always(Option<Duration>),
    /// Nowhere.
    Never,
}

/// What `run` does when an edit can't go live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnRefused {
    /// The program runs on as it was
    #[default]
    Keep,
    /// The program is started again on the newest code; what can't be saved of its state starts afresh
    Restart,
    /// The same, if all state in cells can be saved; else it runs on as it was
    RestartWithState,
}

impl OnRefused {
    const ALL: [Self; 3] = [Self::Keep, Self::Restart, Self::RestartWithState];

    /// As the user writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Restart => "restart",
            Self::RestartWithState => "restart-with-state",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.word() == word)
    }
}

/// What the program does when an entry panics soon after a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnPanic {
    /// It goes back to the version before, with its state
    #[default]
    Revert,
    /// It goes on with the version that it has
    Keep,
}

impl OnPanic {
    /// As it is written, also for the program.
    pub fn word(self) -> &'static str {
        match self {
            Self::Revert => hotswap_protocol::env::ON_PANIC_REVERT,
            Self::Keep => "keep",
        }
    }
}

/// What a swap does while a version before the current one is still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ThirdVersion {
    /// It waits for ten seconds, and is refused then
    Wait,
    /// It is refused
    Refuse,
    /// Named threads and tasks that older code began are told to end; what doesn't refuses the swap
    Kill,
    /// It goes on, with a warning when there are many such versions; with 64 it is refused
    #[default]
    Keep,
}

impl ThirdVersion {
    const ALL: [Self; 4] = [Self::Wait, Self::Refuse, Self::Kill, Self::Keep];

    /// As it is written, also for the program.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Refuse => "refuse",
            Self::Kill => "kill",
            Self::Keep => "keep",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.word() == word)
    }
}

/// After which ends of the program `run` waits for a save, instead of ending too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Stay {
    /// After a panic or a fault, if there is a terminal
    #[default]
    Crash,
    /// After every end that nobody asked for
    Always,
    /// Never: as `cargo run`
    Never,
}

impl Stay {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was said.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A variable of this name.
    Environment(String),
    /// A flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting's value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub origin: Origin,
}

impl<T: Default> Default for Value<T> {
    fn default() -> Self {
        Self {
            value: T::default(),
            origin: Origin::Default,
        }
    }
}

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Single keys command the tool while the program runs.
    pub keys: Value<bool>,
    /// Patches carry full debug information, for people who step through them.
    pub debug_patches: Value<bool>,
    /// The linker for patches, as a path or a name on the search path.
    pub linker: Value<Option<String>>,
    /// What follows a refusal.
    pub on_refused: Value<OnRefused>,
    /// What follows a panic soon after a swap.
    pub on_panic: Value<OnPanic>,
    /// What follows the program's end.
    pub stay: Value<Stay>,
    /// What happens while a version before the current one is in use.
    pub third_version: Value<ThirdVersion>,
    /// Whether files are looked at.
    pub watch_poll: Value<Poll>,
    /// Files that are never taken as edited: globs of paths below the workspace's folder.
    pub watch_ignore: Value<Vec<String>>,
    /// What was said that nobody understands.
    pub warnings: Vec<String>,
}

/// Settings as flags give them; `None` where they say nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--keys`.
    pub keys: Option<bool>,
    /// `--debug-patches`.
    pub debug_patches: Option<bool>,
    /// `--linker`.
    pub linker: Option<String>,
    /// `--on-refused`.
    pub on_refused: Option<OnRefused>,
    /// `--on-panic`.
    pub on_panic: Option<OnPanic>,
    /// `--stay`.
    pub stay: Option<Stay>,
    /// `--third-version`.
    pub third_version: Option<ThirdVersion>,
}

/// The settings by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    DebugPatches,
    Keys,
    Linker,
    OnPanic,
    OnRefused,
    Stay,
    ThirdVersion,
    WatchIgnore,
    WatchPoll,
}

/// Their names in files; the environment has `HOTSWAP_WATCH_POLL` for `watch.poll`.
const KEYS: [(&str, Key); 9] = [
    ("debug-patches", Key::DebugPatches),
    ("keys", Key::Keys),
    ("linker", Key::Linker),
    ("on-panic", Key::OnPanic),
    ("on-refused", Key::OnRefused),
    ("stay", Key::Stay),
    ("third-version", Key::ThirdVersion),
    ("watch.ignore", Key::WatchIgnore),
    ("watch.poll", Key::WatchPoll),
];

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
enum Raw {
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
    /// Something that no setting is, by its name.
    Other(&'static str),
}

impl Raw {
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array of strings",
            Self::Other(kind) => kind,
        }
    }
}

impl Config {
    /// Reads all settings for a package.
    ///
    /// # Errors
    ///
    /// A file is no TOML, or a value is of a wrong type; the error names file, line and column.
    pub fn load(project: &Project, flags: &Flags) -> Result<Self> {
        let mut layers = Vec::new();
        // From the weakest to the strongest.
        let workspace = project.workspace_root.join("Cargo.toml");
        let file = project.workspace_root.join(FILE);
        for (path, table) in [
            (&workspace, &["workspace", "metadata", "hotswap"][..]),
            (&project.manifest, &["package", "metadata", "hotswap"]),
            (&file, &[]),
        ] {
            if path.exists() {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("could not read {}", path.display()))?;
                layers.push(Layer::of_toml(&shown(path), &text, table)?);
            }
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        layers.push(Layer::of_environment(variables));
        layers.push(Layer::of_flags(flags));
        Self::of_layers(layers)
    }

    /// Puts layers on one another, the weakest first.
    fn of_layers(layers: Vec<Layer>) -> Result<Self> {
        let mut config = Self::default();
        for layer in layers {
            config.warnings.extend(layer.warnings);
            for (key, raw, origin) in layer.settings {
                config.set(key, &raw, &origin).map_err(|expected| {
                    anyhow::anyhow!(
                        "{}: `{}` must be {expected}, not {}",
                        place(&origin),
                        name(key),
                        raw.kind()
                    )
                })?;
            }
        }
        config.ignored()?;
        Ok(config)
    }

    /// Sets a value, or says what it must be.
    fn set(&mut self, key: Key, raw: &Raw, origin: &Origin) -> Result<(), &'static str> {
        let origin = origin.clone();
        let boolean = || match raw {
            Raw::Bool(value) => Ok(*value),
            _ => Err("`true` or `false`"),
        };
        match key {
            Key::Keys => self.keys = said(boolean()?, origin),
            Key::DebugPatches => self.debug_patches = said(boolean()?, origin),
            Key::Linker => match raw {
                Raw::Text(text) if !text.is_empty() => {
                    self.linker = said(Some(text.clone()), origin);
                }
                _ => return Err("a linker's path or name"),
            },
            Key::OnRefused => {
                let value = match raw {
                    Raw::Text(text) => OnRefused::of(text),
                    _ => None,
                };
                let value = value.ok_or("\"keep\", \"restart\" or \"restart-with-state\"")?;
                self.on_refused = said(value, origin);
            }
            Key::OnPanic => {
                let value = match raw {
                    Raw::Text(text) if text == "revert" => OnPanic::Revert,
                    Raw::Text(text) if text == "keep" => OnPanic::Keep,
                    _ => return Err("\"revert\" or \"keep\""),
                };
                self.on_panic = said(value, origin);
            }
            Key::Stay => {
                let value = match raw {
                    Raw::Text(text) if text == "crash" => Stay::Crash,
                    Raw::Text(text) if text == "always" => Stay::Always,
                    Raw::Text(text) if text == "never" => Stay::Never,
                    _ => return Err("\"crash\", \"always\" or \"never\""),
                };
                self.stay = said(value, origin);
            }
            Key::ThirdVersion => {
                let value = match raw {
                    Raw::Text(text) => ThirdVersion::of(text),
                    _ => None,
                };
                let value = value.ok_or("\"wait\", \"refuse\", \"kill\" or \"keep\"")?;
                self.third_version = said(value, origin);
            }
            Key::WatchIgnore => match raw {
                Raw::List(globs) => self.watch_ignore = said(globs.clone(), origin),
                _ => return Err("an array of globs"),
            },
            Key::WatchPoll => {
                let value = match raw {
                    Raw::Bool(true) => Poll::Always(None),
                    Raw::Bool(false) => Poll::Never,
                    Raw::Integer(ms @ 1..=3_600_000) => {
                        Poll::Always(Some(Duration::from_millis(ms.unsigned_abs())))
                    }
                    _ => return Err("`true`, `false` or a number of milliseconds up to an hour"),
                };
                self.watch_poll = said(value, origin);
            }
        }
        Ok(())
    }

    /// The files that are never taken as edited, as one matcher.
    ///
    /// # Errors
    ///
    /// A glob is malformed; the error says where it stands.
    pub fn ignored(&self) -> Result<GlobSet> {
        let mut set = GlobSetBuilder::new();
        for glob in &self.watch_ignore.value {
            let glob = Glob::new(glob).map_err(|error| {
                let place = place(&self.watch_ignore.origin);
                anyhow::anyhow!("{place}: `watch.ignore`: {error}")
            })?;
            set.add(glob);
        }
        Ok(set.build()?)
    }
}

fn said<T>(value: T, origin: Origin) -> Value<T> {
    Value { value, origin }
}

fn name(key: Key) -> &'static str {
    let found = KEYS.iter().find(|(_, other)| *other == key);
    found.map_or("", |(name, _)| name)
}

/// An origin with its column, for an editor to jump to.
fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { column, .. } => format!("{origin}:{column}"),
        other => other.to_string(),
    }
}

/// A path as the user would write it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// What `cargo hotswap config` tells of one setting.
#[derive(Debug, Serialize)]
struct Line {
    key: &'static str,
    /// The value in TOML.
    value: String,
    origin: String,
}

impl Config {
    fn lines(&self) -> Vec<Line> {
        let string = |text: &str| toml::Value::from(text).to_string();
        let all = KEYS.iter().map(|(key, which)| {
            let (value, origin) = match which {
                Key::DebugPatches => {
                    let said = &self.debug_patches;
                    (said.value.to_string(), &said.origin)
                }
                Key::Keys => (self.keys.value.to_string(), &self.keys.origin),
                Key::Linker => {
                    let value = self
                        .linker
                        .value
                        .as_deref()
                        .map_or_else(String::new, string);
                    (value, &self.linker.origin)
                }
                Key::OnRefused => (
                    string(self.on_refused.value.word()),
                    &self.on_refused.origin,
                ),
                Key::OnPanic => (string(self.on_panic.value.word()), &self.on_panic.origin),
                Key::Stay => (string(self.stay.value.word()), &self.stay.origin),
                Key::ThirdVersion => {
                    let said = &self.third_version;
                    (string(said.value.word()), &said.origin)
                }
                Key::WatchIgnore => {
                    let globs = toml::Value::from(self.watch_ignore.value.clone());
                    (globs.to_string(), &self.watch_ignore.origin)
                }
                Key::WatchPoll => {
                    let value = match self.watch_poll.value {
                        Poll::WhereNeeded => String::new(),
                        Poll::Always(None) => "true".to_owned(),
                        Poll::Always(Some(pause)) => pause.as_millis().to_string(),
                        Poll::Never => "false".to_owned(),
                    };
                    (value, &self.watch_poll.origin)
                }
            };
            Line {
                key,
                value,
                origin: origin.to_string(),
            }
        });
        all.collect()
    }
}
