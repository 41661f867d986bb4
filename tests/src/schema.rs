//! The schemas of what the tool prints, and whether a line is what they say.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use jsonschema::Validator;
use serde_json::Value;

use crate::paths;

/// Checks a line of JSON from the tool.
///
/// # Errors
///
/// When it is not what `docs/events.schema.json` says, or that can't be read.
pub fn check(line: &str) -> Result<()> {
    is_of("events", &serde_json::from_str(line)?)
}

/// Checks what the tool prints against `docs/NAME.schema.json`.
///
/// # Errors
///
/// When it is not what that says, or that can't be read.
pub fn is_of(name: &'static str, value: &Value) -> Result<()> {
    static VALIDATORS: Mutex<BTreeMap<&str, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = match validators.get(name) {
        Some(validator) => Arc::clone(validator),
        None => Arc::clone(validators.entry(name).or_insert(Arc::new(validator(name)?))),
    };
    drop(validators);
    validator
        .validate(value)
        .map_err(|error| anyhow!("not as docs/{name}.schema.json says: {error}: {value}"))
}

fn validator(name: &str) -> Result<Validator> {
    let path = paths::workspace().join(format!("docs/{name}.schema.json"));
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    Ok(jsonschema::validator_for(&serde_json::from_str(&text)?)?)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_schema_tells_lines_apart() {
        for (line, good) in [
            (r#"{"format":1,"event":"started","pid":1}"#, true),
            (
                r#"{"format":1,"event":"started","pid":1,"added":"later"}"#,
                true,
            ),
            (r#"{"format":2,"event":"started","pid":1}"#, false),
            (r#"{"format":1,"event":"started","pid":"1"}"#, false),
            (r#"{"format":1,"event":"started"}"#, false),
            (r#"{"format":1,"event":"unheard-of"}"#, false),
            (r#"{"event":"started","pid":1}"#, false),
        ] {
            assert_eq!(check(line).is_ok(), good, "{line}: {:?}", check(line));
        }
    }
}
