//! One place where settings stand, read into raw values.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Flags, KEYS, Key, Origin, Raw, place};

/// Variables begin so.
const PREFIX: &str = "HOTSWAP_";

/// Lists in a variable are separated so, as in `PATH`: globs contain commas.
const SEPARATOR: char = ':';

/// The settings of one place.
#[derive(Debug, Default, PartialEq)]
pub struct Layer {
    /// What was said, and where.
    pub settings: Vec<(Key, Raw, Origin)>,
    /// What is not understood.
    pub warnings: Vec<String>,
}

impl Layer {
    /// Reads the table of this path in a TOML file; none is an empty layer.
    ///
    /// # Errors
    ///
    /// The file is no TOML.
    pub fn of_toml(path: &Path, text: &str, table: &[&str]) -> Result<Self> {
        let mut layer = Self::default();
        let file = File { path, text };
        let parsed = match DeTable::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let (line, column) = file.position(at);
                bail!("{}:{line}:{column}: {}", path.display(), error.message());
            }
        };
        let mut found = parsed.get_ref();
        for name in table {
            match found
                .get(*name)
                .and_then(|value| value.get_ref().as_table())
            {
                Some(inner) => found = inner,
                None => return Ok(layer),
            }
        }
        layer.read_table(&file, "", found)?;
        Ok(layer)
    }

    fn read_table(&mut self, file: &File<'_>, prefix: &str, table: &DeTable<'_>) -> Result<()> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let inner = value.get_ref().as_table();
            match (find(&name), inner) {
                (Some(known), _) => {
                    let origin = file.origin(value.span());
                    self.settings.push((known, raw(value), origin));
                }
                (None, Some(inner)) if groups().any(|group| group == name) => {
                    self.read_table(file, &format!("{name}."), inner)?;
                }
                (None, None) if groups().any(|group| group == name) => {
                    let place = place(&file.origin(value.span()));
                    bail!(
                        "{place}: `{name}` must be a table, not {}",
                        raw(value).kind()
                    );
                }
                (None, _) => {
                    let place = file.origin(key.span());
                    self.warnings.push(unknown(&place, &name));
                }
            }
        }
        Ok(())
    }

    /// Reads variables. Names that are like none of ours are somebody else's.
    pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut layer = Self::default();
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.sort();
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let known = KEYS.iter().find(|(key, _)| variable(key) == name);
            let origin = Origin::Environment(name.clone());
            match known {
                Some((_, key)) => layer.settings.push((*key, from_text(*key, value), origin)),
                None if OWN.contains(&rest) => {}
                None => {
                    let known = KEYS
                        .iter()
                        .map(|(key, _)| variable(key)[PREFIX.len()..].to_owned());
                    layer.warnings.extend(nearest(rest, known).map(|near| {
                        format!("unknown variable `{name}`; did you mean `{PREFIX}{near}`?")
                    }));
                }
            }
        }
        layer
    }

    /// What flags say.
    pub fn of_flags(flags: &Flags) -> Self {
        let mut layer = Self::default();
        let mut say = |key, raw: Option<Raw>, name| {
            layer
                .settings
                .extend(raw.map(|raw| (key, raw, Origin::Flag(name))));
        };
        say(Key::Keys, flags.keys.map(Raw::Bool), "--keys");
        say(
            Key::DebugPatches,
            flags.debug_patches.map(Raw::Bool),
            "--debug-patches",
        );
        say(Key::Linker, flags.linker.clone().map(Raw::Text), "--linker");
        let on_refused = flags.on_refused;
        let on_refused = on_refused.map(|value| Raw::Text(value.word().to_owned()));
        say(Key::OnRefused, on_refused, "--on-refused");
        let on_panic = flags.on_panic;
        let on_panic = on_panic.map(|value| Raw::Text(value.word().to_owned()));
        say(Key::OnPanic, on_panic, "--on-panic");
        let stay = flags.stay.map(|value| Raw::Text(value.word().to_owned()));
        say(Key::Stay, stay, "--stay");
        let third = flags.third_version;
        let third = third.map(|value| Raw::Text(value.word().to_owned()));
        say(Key::ThirdVersion, third, "--third-version");
        layer
    }
}

/// Variables that are set by the tool itself, or by its tests.
const OWN: [&str; 11] = [
    "CRASH_FD",
    "EXPAND",
    "LINK",
    "LISTEN",
    "NAME",
    "PLUGIN",
    "READY_FD",
    "TESTS_BROWSER",
    "TESTS_KEEP",
    "TESTS_TOOL",
    "TUNABLES",
];

/// The tables that settings stand in.
fn groups() -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter_map(|(name, _)| Some(name.split_once('.')?.0))
}

fn find(name: &str) -> Option<Key> {
    let found = KEYS.iter().find(|(known, _)| *known == name);
    found.map(|(_, key)| *key)
}

/// The variable of a key.
fn variable(key: &str) -> String {
    PREFIX.to_owned() + &key.to_uppercase().replace(['-', '.'], "_")
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a number that large"), Raw::Integer),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| item.get_ref().as_str());
            items
                .map(|item| item.map(str::to_owned))
                .collect::<Option<_>>()
                .map_or(Raw::Other("an array of other things"), Raw::List)
        }
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

/// A variable's text, as the type that it looks like.
fn from_text(key: Key, text: String) -> Raw {
    if key == Key::WatchIgnore {
        let globs = text.split(SEPARATOR).filter(|glob| !glob.is_empty());
        return Raw::List(globs.map(str::to_owned).collect());
    }
    let words = matches!(
        key,
        Key::Linker | Key::OnPanic | Key::OnRefused | Key::Stay | Key::ThirdVersion
    );
    match text.as_str() {
        _ if words => Raw::Text(text),
        "true" => Raw::Bool(true),
        "false" => Raw::Bool(false),
        number => number.parse().map_or(Raw::Text(text.clone()), Raw::Integer),
    }
}

fn unknown(place: &Origin, name: &str) -> String {
    let known = KEYS
        .iter()
        .map(|(key, _)| *key)
        .chain(groups())
        .map(str::to_owned);
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<_> = KEYS.iter().map(|(key, _)| format!("`{key}`")).collect();
            format!("known are {}", all.join(", "))
        }
    };
    format!("{place}: unknown key `{name}`; {help}")
}

/// The most similar name, if one is similar enough to be meant.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let rated = known.map(|known| (strsim::osa_distance(name, &known), known));
    let best = rated.min_by_key(|(distance, _)| *distance);
    best.filter(|(distance, _)| *distance <= (name.len() / 3).min(3))
        .map(|(_, known)| known)
}

/// A file's text, to tell positions in.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let (line, column) = self.position(span.start);
        let path = self.path.to_owned();
        Origin::File { path, line, column }
    }

    /// Line and column in characters, both from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
