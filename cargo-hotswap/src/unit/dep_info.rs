//! The dep-info files that rustc writes: which files a crate was made from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Reads the sources named in a dep-info file; relative paths are relative to `cwd`.
///
/// # Errors
///
/// The file can't be read.
pub fn read(path: &Path, cwd: &Path) -> Result<BTreeSet<PathBuf>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    Ok(parse(&text)
        .into_iter()
        .map(|source| cwd.join(source))
        .collect())
}

/// The prerequisites of the first rule in makefile syntax.
fn parse(text: &str) -> Vec<PathBuf> {
    let rule = text
        .lines()
        .find(|line| !line.starts_with('#') && line.contains(": "));
    let Some((_, sources)) = rule.and_then(|rule| rule.split_once(": ")) else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    let mut word = String::new();
    let mut chars = sources.chars();
    while let Some(c) = chars.next() {
        match c {
            // A space in a path is written with a backslash before it.
            '\\' => word.push(chars.next().unwrap_or('\\')),
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    paths.push(PathBuf::from(std::mem::take(&mut word)));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        paths.push(PathBuf::from(word));
    }
    paths
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    #[test]
    fn reads_what_rustc_writes() {
        let text = "/t/app.d: src/main.rs src/a\\ b.rs\n\n/t/app: src/main.rs\n\nsrc/main.rs:\n\
                    # env-dep:X=1\n";
        let expected: Vec<PathBuf> = vec!["src/main.rs".into(), "src/a b.rs".into()];
        assert_eq!(super::parse(text), expected);
        assert!(super::parse("").is_empty());
    }
}
