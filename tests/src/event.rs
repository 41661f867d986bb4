//! Events of `cargo hotswap run --message-format=json`.

use std::fmt;

use serde_json::Value;

/// Events that end the tool's answer to a save, or its attempt to start.
const OUTCOMES: [&str; 8] = [
    "compile-error",
    "exited",
    "failed",
    "refused",
    "restarting",
    "swapped",
    "unchanged",
    "went-back",
];

/// One line of JSON from the tool.
#[derive(Clone, Debug)]
pub struct Event(Value);

impl Event {
    /// Reads a line of the tool's stderr; `None` for text.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let value = line
            .starts_with("{\"format\"")
            .then(|| serde_json::from_str(line));
        value?.ok().map(Self)
    }

    /// What happened, such as `swapped`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0["event"].as_str().unwrap_or_default()
    }

    /// Whether this ends the tool's answer to a save.
    #[must_use]
    pub fn is_outcome(&self) -> bool {
        OUTCOMES.contains(&self.kind())
    }

    /// A field that holds a number.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    /// A field that holds text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0[field].as_str()
    }

    /// Whether a `files` field names this path, given relative to the package.
    #[must_use]
    pub fn names(&self, file: &str) -> bool {
        let files = self.0["files"].as_array().into_iter().flatten();
        files
            .filter_map(Value::as_str)
            .any(|named| named.ends_with(file))
    }

    /// Whether each word occurs somewhere in the event.
    #[must_use]
    pub fn has(&self, words: &[String]) -> bool {
        contains(&self.0, words)
    }

    /// Whether one element of a field (the field itself, if it is no list) has each word. A path leads
    /// into objects: `migrated.cells`.
    #[must_use]
    pub fn field_has(&self, field: &str, words: &[String]) -> bool {
        let value = field.split('.').fold(&self.0, |value, name| &value[name]);
        match value {
            Value::Array(elements) => elements.iter().any(|element| contains(element, words)),
            other => contains(other, words),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn contains(value: &Value, words: &[String]) -> bool {
    let mut text = String::new();
    leaves(value, &mut text);
    words.iter().all(|word| text.contains(word.as_str()))
}

/// All text and numbers below a value, a line each, without JSON's escapes.
fn leaves(value: &Value, text: &mut String) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, text)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, text)),
        Value::String(leaf) => text.extend([leaf, "\n"]),
        other => text.extend([&other.to_string(), "\n"]),
    }
}

#[cfg(test)]
mod tests {
    use super::Event;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn text_is_no_event() {
        assert!(Event::read("   Compiling app").is_none());
        assert!(Event::read("{\"reason\":1}").is_none());
    }

    #[test]
    fn words_belong_to_one_element() {
        let line = r#"{"format":1,"event":"swapped","version":2,"files":["/x/src/main.rs"],
            "statics":[{"name":"A","verdict":"kept"},{"name":"B","verdict":"new \"x\""}]}"#;
        let event = Event::read(line).expect("is an event");
        assert!(event.is_outcome());
        assert!(event.names("src/main.rs"));
        assert!(event.field_has("statics", &words(&["B", "new \"x\""])));
        assert!(!event.field_has("statics", &words(&["A", "new"])));
        assert!(event.has(&words(&["A", "new"])));
        assert!(event.field_has("version", &words(&["2"])));
        assert!(!event.field_has("missing", &words(&["A"])));
    }
}
