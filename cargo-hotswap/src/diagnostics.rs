//! The compiler's messages: counted and put together as cargo does it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plugin::capture::UnitCapture;

/// The form in which the compiler gives messages to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// One line each.
    pub short: bool,
    /// Columns that excerpts of the source are cut to.
    pub width: Option<usize>,
}

impl Form {
    /// Puts this form in place of the one that cargo asked for when it called rustc.
    pub fn apply(self, args: &mut Vec<String>) {
        args.retain(|arg| !arg.starts_with("--diagnostic-width="));
        for arg in args.iter_mut() {
            let Some(parts) = arg.strip_prefix("--json=") else {
                continue;
            };
            let others = parts.split(',').filter(|part| *part != "diagnostic-short");
            let short = self.short.then_some("diagnostic-short");
            *arg = format!(
                "--json={}",
                others.chain(short).collect::<Vec<_>>().join(",")
            );
        }
        if let Some(width) = self.width {
            args.push(format!("--diagnostic-width={width}"));
        }
    }
}

/// A warning of the compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Tells it from others of the crate, wherever it moves in its file.
    pub key: String,
    /// Its rendered form.
    pub text: String,
}

/// All that one call of rustc said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// The rendered forms in their order.
    pub text: String,
    /// The number of errors.
    pub errors: usize,
    /// The warnings.
    pub warnings: Vec<Warning>,
}

/// Reads rustc's JSON lines. Its own summaries are left out, since cargo has another.
pub fn read(lines: &[u8]) -> Diagnostics {
    let mut all = Diagnostics::default();
    for line in String::from_utf8_lossy(lines).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let field = |name: &str| message.get(name).and_then(Value::as_str);
        let (Some(rendered), words) = (field("rendered"), field("message").unwrap_or_default())
        else {
            continue;
        };
        match field("level").unwrap_or_default() {
            level if level.starts_with("error") => {
                if words.starts_with("aborting due to ") {
                    continue;
                }
                all.errors += 1;
            }
            "warning" => {
                if words.ends_with(" warning emitted") || words.ends_with(" warnings emitted") {
                    continue;
                }
                all.warnings.push(Warning {
                    key: key(&message, words),
                    text: rendered.to_owned(),
                });
            }
            _ => {}
        }
        all.text += rendered;
    }
    all
}

/// The warnings that cargo told when it compiled a unit. It keeps them beside what it knows of the
/// unit, to tell them again where nothing has to be compiled. That is its own affair: where it keeps
/// them elsewhere, none are found, and they are told once more.
pub fn of_cargo(capture: &UnitCapture, stem: &str) -> Vec<Warning> {
    let found = || -> Option<Vec<u8>> {
        let (_, hash) = stem.rsplit_once('-')?;
        let folder = format!(".fingerprint/{}-{hash}", capture.package);
        let mut files = std::fs::read_dir(capture.out_dir.parent()?.join(folder)).ok()?;
        let output = files.find_map(|file| {
            let file = file.ok()?;
            let is_output = file.file_name().to_string_lossy().starts_with("output-");
            is_output.then(|| file.path())
        })?;
        std::fs::read(output).ok()
    };
    read(&found().unwrap_or_default()).warnings
}

/// An artefact that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artefact {
    /// The crate's metadata.
    Metadata,
    /// The library or executable, the last of all: rustc only tidies up after it.
    Linked,
}

impl Artefact {
    /// What a line reports to stand, if it does that.
    pub fn told(line: &[u8]) -> Option<Self> {
        let message = serde_json::from_slice::<Value>(line).ok()?;
        match (message["artifact"].is_string(), message["emit"].as_str()?) {
            (true, "metadata") => Some(Self::Metadata),
            (true, "link") => Some(Self::Linked),
            _ => None,
        }
    }
}

fn key(message: &Value, words: &str) -> String {
    let file = message["spans"][0]["file_name"].as_str();
    format!("{words}\n{}", file.unwrap_or_default())
}

impl Diagnostics {
    /// What could not be compiled and why, as cargo says it.
    pub fn summary(&self, capture: &UnitCapture) -> String {
        let count = |number: usize, one: &str, many: &str| match number {
            0 => String::new(),
            1 => format!("1 {one}"),
            number => format!("{number} {many}"),
        };
        let mut text = format!("could not compile {}", target(capture));
        let errors = count(self.errors, "previous error", "previous errors");
        let warnings = count(self.warnings.len(), "warning emitted", "warnings emitted");
        if !errors.is_empty() {
            text += &format!(" due to {errors}");
        }
        if !warnings.is_empty() {
            text += &format!("; {warnings}");
        }
        text
    }
}

/// A target as cargo names it.
fn target(capture: &UnitCapture) -> String {
    let package = &capture.package;
    match capture.env.get("CARGO_BIN_NAME") {
        None => format!("`{package}` (lib)"),
        Some(name) if capture.out_dir.ends_with("examples") => {
            format!("`{package}` (example \"{name}\")")
        }
        Some(name) => format!("`{package}` (bin \"{name}\")"),
    }
}

/// The warnings of each unit: those that were told, and those that it has now.
#[derive(Debug, Default)]
pub struct Known {
    told: BTreeMap<String, Vec<String>>,
    /// Of units that were compiled since the last telling.
    now: BTreeMap<String, Vec<Warning>>,
}

impl Known {
    /// Cargo compiled a unit, and told these itself.
    pub fn told_by_cargo(&mut self, unit: &str, warnings: Vec<Warning>) {
        self.now.remove(unit);
        let keys = warnings.into_iter().map(|warning| warning.key).collect();
        self.told.insert(unit.to_owned(), keys);
    }

    /// A unit was compiled. What it had before and nobody was told of is gone.
    pub fn compiled(&mut self, unit: &str, warnings: Vec<Warning>) {
        self.now.insert(unit.to_owned(), warnings);
    }

    /// The rendered forms of those warnings that units did not have when they were last told.
    pub fn take_new(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for (unit, warnings) in std::mem::take(&mut self.now) {
            let keys = warnings.iter().map(|warning| warning.key.clone()).collect();
            let mut told = self.told.insert(unit, keys).unwrap_or_default();
            let is_new = |warning: &Warning| {
                let at = told.iter().position(|key| *key == warning.key);
                at.map(|at| told.swap_remove(at)).is_none()
            };
            let new = warnings.into_iter().filter(is_new);
            all.extend(new.map(|warning| warning.text));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Artefact, Form, Known, UnitCapture, Warning, read};
    use crate::plugin::capture;

    const LINES: &str = concat!(
        r#"{"message":"unused variable: `x`","level":"warning","spans":[{"file_name":"src/a.rs"}],"rendered":"warning: unused\n\n"}"#,
        "\nwords of a wrapper\n",
        r#"{"message":"mismatched types","level":"error","spans":[],"rendered":"error[E0308]: mismatched\n\n"}"#,
        "\n",
        r#"{"artifact":"/x/libx.rmeta","emit":"metadata"}"#,
        "\n",
        r#"{"artifact":"/x/libx.rlib","emit":"link"}"#,
        "\n",
        r#"{"artifact":"/x/x.d","emit":"dep-info"}"#,
        "\n",
        r#"{"message":"aborting due to 1 previous error; 1 warning emitted","level":"error","spans":[],"rendered":"error: aborting\n\n"}"#,
        "\n",
        r#"{"message":"1 warning emitted","level":"warning","spans":[],"rendered":"warning: 1 warning\n\n"}"#,
        "\n",
        r#"{"message":"For more information","level":"failure-note","spans":[],"rendered":"For more\n"}"#,
        "\n",
    );

    #[test]
    fn summaries_are_left_out() {
        let found = read(LINES.as_bytes());
        assert_eq!(
            found.text,
            "warning: unused\n\nerror[E0308]: mismatched\n\nFor more\n"
        );
        assert_eq!((found.errors, found.warnings.len()), (1, 1));
        assert_eq!(found.warnings[0].key, "unused variable: `x`\nsrc/a.rs");
    }

    #[test]
    fn artefacts_are_told_apart() {
        let lines = (0..).zip(LINES.lines());
        let found = lines.filter_map(|(at, line)| Some((at, Artefact::told(line.as_bytes())?)));
        let found: Vec<(usize, Artefact)> = found.collect();
        assert_eq!(found, [(3, Artefact::Metadata), (4, Artefact::Linked)]);
    }

    #[test]
    fn summary_is_cargos() {
        let capture = |bin: Option<&str>, out_dir: &str| UnitCapture {
            format: capture::FORMAT,
            package: "app".to_owned(),
            manifest_dir: PathBuf::new(),
            program: Vec::new(),
            args: Vec::new(),
            out_dir: out_dir.into(),
            cwd: PathBuf::new(),
            env: bin
                .map(|name| ("CARGO_BIN_NAME".to_owned(), name.to_owned()))
                .into_iter()
                .collect(),
        };
        let library = capture(None, "/t/debug/deps");
        let bin = capture(Some("tool"), "/t/debug/deps");
        let example = capture(Some("tool"), "/t/debug/examples");
        for (capture, errors, warnings, expected) in [
            (&library, 0, 0, "`app` (lib)"),
            (&library, 1, 0, "`app` (lib) due to 1 previous error"),
            (
                &bin,
                2,
                1,
                "`app` (bin \"tool\") due to 2 previous errors; 1 warning emitted",
            ),
            (
                &example,
                1,
                2,
                "`app` (example \"tool\") due to 1 previous error; 2 warnings emitted",
            ),
        ] {
            let warning = Warning {
                key: String::new(),
                text: String::new(),
            };
            let found = super::Diagnostics {
                errors,
                warnings: vec![warning; warnings],
                text: String::new(),
            };
            assert_eq!(
                found.summary(capture),
                format!("could not compile {expected}")
            );
        }
    }

    #[test]
    fn the_form_replaces_cargos() {
        let cargos = [
            "--json=diagnostic-rendered-ansi,artifacts",
            "--diagnostic-width=99",
            "a.rs",
        ];
        for (short, width, expected) in [
            (
                false,
                None,
                "--json=diagnostic-rendered-ansi,artifacts a.rs",
            ),
            (
                true,
                Some(80),
                "--json=diagnostic-rendered-ansi,artifacts,diagnostic-short a.rs --diagnostic-width=80",
            ),
        ] {
            let mut args = cargos.map(str::to_owned).to_vec();
            Form { short, width }.apply(&mut args);
            assert_eq!(args.join(" "), expected);
            Form { short, width }.apply(&mut args);
            assert_eq!(args.join(" "), expected);
        }
    }

    #[test]
    fn a_warning_is_told_once() {
        let warnings = |keys: &str| -> Vec<Warning> {
            let keys = keys.chars().map(String::from);
            keys.map(|key| Warning {
                text: key.clone(),
                key,
            })
            .collect()
        };
        let mut known = Known::default();
        for (unit, keys, new) in [
            ("u", "ab", "ab"),
            ("u", "ab", ""),
            ("v", "a", "a"),
            ("u", "aab", "a"),
            ("u", "b", ""),
            ("u", "ab", "a"),
        ] {
            known.compiled(unit, warnings(keys));
            assert_eq!(known.take_new().concat(), new, "{unit} {keys}");
        }
        // An edit that was refused, and the one that undid it.
        known.compiled("u", warnings("abc"));
        known.compiled("u", warnings("abd"));
        known.compiled("v", warnings("a"));
        assert_eq!(known.take_new(), ["d"]);
        known.compiled("u", warnings("e"));
        known.told_by_cargo("u", warnings("fg"));
        assert!(known.take_new().is_empty());
        known.compiled("u", warnings("agh"));
        assert_eq!(known.take_new(), ["a", "h"]);
    }
}
