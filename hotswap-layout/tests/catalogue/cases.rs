//! What stands in a table of the catalogue.
//!
//! A case is a name with tags, a source, and sections, each of which begins a line and goes on to the next:
//!
//! | section | meaning |
//! |---|---|
//! | `expect:` | what the comparison says, a line each |
//! | `call:` | what is done in a program, statements up to an expression |
//! | `gives:` | what that has to give |
//! | `beside:` | what the source needs besides, to be run |
//! | `value:` | a value of the cell, once or more |
//! | `back:` | what a revert makes of the value before, where that is another than the first one |
//! | `told:` | what is compared of the value `it`, where that is more or less than its `Debug` |
//!
//! In all but the first `«old¦new»` stands for what differs: so a value is the one that the old version makes, and the one
//! that the new version has to find.

use std::collections::BTreeSet;

/// A case of a table.
pub struct Case {
    pub name: String,
    /// Goes from the new version to the old one, where that makes a difference.
    pub back: bool,
    /// The new version has no way back to the old one.
    pub one_way: bool,
    /// No program comes from the old version to the new one in one step.
    pub unreached: bool,
    /// `c`, or `hotswap` for what the runtime's own types are exempt from.
    pub crate_name: &'static str,
    source: String,
    pub expected: Vec<String>,
    call: Option<String>,
    beside: String,
    pub values: Vec<Value>,
    told: String,
    /// Types that are migrated where cells hold them.
    pub migrated: BTreeSet<String>,
    /// Compiled with optimisation too.
    pub optimised: bool,
    /// The type whose `repr` was edited.
    pub repr: Option<String>,
    /// The module of a crate that it shares.
    pub module: Option<String>,
}

/// What a cell holds or a call gives, as an expression.
pub struct Value {
    text: String,
    back: Option<String>,
}

/// The cases of a table.
pub fn cases(text: &str) -> Vec<Case> {
    text.split("\n== ").skip(1).map(Case::read).collect()
}

impl Case {
    fn read(text: &str) -> Self {
        let (name, rest) = text.split_once('\n').expect("a case has a source");
        let (name, tags) = name.split_once(" [").unwrap_or((name, ""));
        let tags: Vec<&str> = tags.split([' ', ',', '[', ']']).collect();
        let tagged = |key: &'static str| tags.iter().filter_map(move |it| it.strip_prefix(key));
        let hotswap = tags.contains(&"hotswap");
        let mut case = Self {
            name: name.to_owned(),
            back: tags.contains(&"back"),
            one_way: tags.contains(&"one-way"),
            unreached: tags.contains(&"unreached"),
            migrated: tagged("migrated=").map(str::to_owned).collect(),
            crate_name: if hotswap { "hotswap" } else { "c" },
            source: String::new(),
            expected: Vec::new(),
            call: None,
            beside: String::new(),
            values: Vec::new(),
            told: "it".to_owned(),
            optimised: tags.contains(&"optimised"),
            repr: tagged("repr=").next().map(str::to_owned),
            // What is known of the crate `hotswap` stands at its root.
            module: (!hotswap && !tags.contains(&"alone")).then(|| module_of(name)),
        };
        let sections = sections(rest);
        assert!(
            sections.iter().any(|(key, _)| *key == "expect"),
            "{name}: no expectations"
        );
        for (key, text) in sections {
            case.add(key, text);
        }
        case
    }

    fn add(&mut self, key: &str, text: String) {
        match key {
            "expect" => {
                let lines = text.lines().map(str::trim);
                let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
                self.expected = lines.map(str::to_owned).collect();
                self.expected.sort();
            }
            "beside" => self.beside = text,
            "call" => self.call = Some(text),
            "value" | "gives" => self.values.push(Value { text, back: None }),
            "back" => {
                let value = self
                    .values
                    .last_mut()
                    .expect("a value before what it becomes");
                value.back = Some(text);
            }
            "told" => self.told = text,
            _ => self.source = text,
        }
    }

    /// The source of one side.
    pub fn version(&self, new: bool) -> String {
        side(&self.source, new)
    }

    /// What one side does in a program, if that is compared and no cell is.
    pub fn call(&self, new: bool) -> Option<String> {
        self.call.as_ref().map(|text| side(text, new))
    }

    /// Whether the comparison has nothing against it.
    pub fn is_accepted(&self) -> bool {
        !self.expected.iter().any(|it| it.starts_with("refused"))
    }

    /// What one side needs besides, to be run.
    pub fn beside(&self, new: bool) -> String {
        side(&self.beside, new)
    }

    /// What is compared of a value of one side.
    pub fn told(&self, new: bool) -> String {
        side(&self.told, new)
    }

    /// Gives it a module of a crate that it shares, whatever its tags say.
    pub fn share(&mut self) {
        self.module = Some(module_of(&self.name));
    }

    /// Where its items are.
    pub fn path(&self) -> String {
        match &self.module {
            Some(module) => format!("{}::{module}", self.crate_name),
            None => self.crate_name.to_owned(),
        }
    }

    /// Whether a text tells of its items.
    pub fn is_named_in(&self, text: &str) -> bool {
        self.module.is_none() || text.contains(&format!("{}::", self.path()))
    }

    /// A text as if the case had the crate for itself.
    pub fn alone(&self, text: &str) -> String {
        let path = format!("{}::", self.path());
        text.replace(&path, &format!("{}::", self.crate_name))
    }

    /// The other way round: the path of an item, with the case's module.
    pub fn within(&self, item: &str) -> String {
        let root = format!("{}::", self.crate_name);
        item.replace(&root, &format!("{}::", self.path()))
    }
}

/// The name of a case as a module's.
fn module_of(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

impl Value {
    /// The value that one side makes.
    pub fn version(&self, new: bool) -> String {
        side(&self.text, new)
    }

    /// What the old version finds after a revert.
    pub fn back(&self) -> String {
        let back = self.back.as_ref().unwrap_or(&self.text);
        side(back, false)
    }
}

/// What stands before each section's name, and the source under an empty name.
fn sections(text: &str) -> Vec<(&str, String)> {
    const NAMES: [&str; 7] = ["expect", "call", "gives", "beside", "value", "back", "told"];
    let mut sections = vec![("", String::new())];
    for line in text.lines() {
        let named = line
            .split_once(':')
            .filter(|(name, _)| NAMES.contains(name));
        let rest = named.map_or(line, |(name, rest)| {
            sections.push((name, String::new()));
            rest
        });
        let (_, section) = sections.last_mut().expect("one at least");
        *section += rest.trim_end();
        *section += "\n";
    }
    sections
}

/// A text with each `«old¦new»` replaced by one side.
fn side(text: &str, new: bool) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('«') {
        let (edit, tail) = after.split_once('»').expect("an edit is closed");
        let (left, right) = edit.split_once('¦').expect("an edit has two sides");
        found.push_str(before);
        found.push_str(if new { right } else { left });
        rest = tail;
    }
    found + rest
}
