//! The schema of the tool's events, and whether a line is what it says.

use std::{fs, sync::OnceLock};

use anyhow::{Context, Result, anyhow};
use jsonschema::Validator;

use crate::paths;

/// Checks a line of JSON from the tool.
///
/// # Errors
///
/// When it is not what `docs/events.schema.json` says, or that can't be read.
pub fn check(line: &str) -> Result<()> {
    static VALIDATOR: OnceLock<Result<Validator, String>> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| validator().map_err(|error| format!("{error:#}")));
    let validator = validator.as_ref().map_err(|error| anyhow!("{error}"))?;
    let value = serde_json::from_str(line)?;
    validator
        .validate(&value)
        .map_err(|error| anyhow!("{error}"))
}

fn validator() -> Result<Validator> {
    let path = paths::workspace().join("docs/events.schema.json");
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
