//! `cargo hotswap config`: every setting, and where its value comes from.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Config, Flags};
use crate::output::{self, Format};
use crate::project::Project;
use crate::selection::Selection;

/// Prints all settings of the package that the selection means.
///
/// # Errors
///
/// The project or a setting can't be read.
pub fn run(selection: &Selection, format: Format) -> Result<i32> {
    let project = Project::find(selection)?;
    let config = Config::load(&project, &Flags::default())?;
    for warning in &config.warnings {
        output::warning(warning);
    }
    output::print(&match format {
        Format::Human => text(&config),
        Format::Json => {
            let lines = config.lines().into_iter();
            let lines = lines.map(|line| Ok(serde_json::to_string(&line)? + "\n"));
            lines.collect::<Result<String>>()?
        }
    })?;
    Ok(0)
}

/// The settings as TOML, each with its origin in a comment.
fn text(config: &Config) -> String {
    let mut text = String::new();
    for line in config.lines() {
        let setting = match line.value.as_str() {
            "" => format!("# {} is not set", line.key),
            value => format!("{} = {value}", line.key),
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{setting:<40}  # {}", line.origin);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Layer};

    #[test]
    fn what_is_printed_can_be_read_again() {
        let written = "keys = true\nlinker = \"a \\\"b\\\"\"\non-refused = \"restart\"\n\
                       watch = { poll = 40, ignore = [\"a/**\", \"*.{x,y}\"] }\n";
        let read = |text: &str| {
            let layer = Layer::of_toml("hotswap.toml".as_ref(), text, &[]).unwrap();
            Config::of_layers(vec![layer]).unwrap()
        };
        let printed = super::text(&read(written));
        let again = super::text(&read(&printed));
        let values = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.rsplit_once("  #").unwrap().0.trim_end());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(values(&printed), values(&again));
        assert!(printed.contains("watch.poll = 40  "), "{printed}");
        let default = super::text(&read(""));
        assert!(default.contains("# watch.poll is not set"), "{default}");
        assert!(
            default.contains("keys = false") && default.contains("# default"),
            "{default}"
        );
    }
}
