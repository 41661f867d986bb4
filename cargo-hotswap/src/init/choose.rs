//! Which functions the user's words mean.

use anyhow::{Result, bail};

use super::functions::{Code, Function};
use super::sources::SourceFile;

/// The functions that these words mean: `Handler::run`, a longer path, or `src/server.rs:42`.
///
/// # Errors
///
/// A word means no function, or several.
pub fn named(code: &Code<'_>, files: &[SourceFile], words: &[String]) -> Result<Vec<usize>> {
    let mut chosen = Vec::new();
    for word in words {
        let found: Vec<usize> = (0..code.functions.len())
            .filter(|number| is_meant(&code.functions[*number], files, word))
            .collect();
        match found.as_slice() {
            [one] => chosen.push(*one),
            [] => bail!(
                "no function `{word}` in this package{}",
                nearest(code, word)
            ),
            many => {
                let all = many
                    .iter()
                    .map(|number| place(&code.functions[*number], files));
                bail!(
                    "`{word}` means several functions, name one by file and line:\n  {}",
                    all.collect::<Vec<_>>().join("\n  ")
                );
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn is_meant(function: &Function<'_>, files: &[SourceFile], word: &str) -> bool {
    if let Some((file, line)) = word.rsplit_once(':')
        && let Ok(line) = line.parse::<usize>()
    {
        return function.line == line && files[function.file].path.ends_with(file);
    }
    let path = function.full_path();
    path.strip_suffix(word)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
}

fn nearest(code: &Code<'_>, word: &str) -> String {
    let rated = code.functions.iter().map(|function| {
        let name = function.name();
        let word = word.rsplit("::").next().unwrap_or(word);
        (strsim::osa_distance(word, &name), function.path())
    });
    match rated.min() {
        Some((distance, path)) if distance <= 2 => format!("; did you mean `{path}`?"),
        _ => String::new(),
    }
}

/// A function's path, file and line.
pub fn place(function: &Function<'_>, files: &[SourceFile]) -> String {
    let file = &files[function.file].path;
    format!(
        "{}:{} {}",
        super::shown(file).display(),
        function.line,
        function.path()
    )
}
