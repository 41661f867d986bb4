//! Which functions the user's words mean.

use anyhow::{Result, bail};

use super::functions::{Code, Function};
use super::sources::SourceFile;

/// The functions that these words mean: `Handler::run`, a longer path, or `src/server.rs:42`, a line of the function
/// or of what stands above it.
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
        let found = match place_of(word) {
            Some(_) => innermost(code, &found),
            None => found,
        };
        match found.as_slice() {
            [one] => chosen.push(*one),
            [] => bail!(
                "no function {} in this package{}",
                match place_of(word) {
                    Some((file, line)) => format!("at line {line} of a file `{file}`"),
                    None => format!("`{word}`"),
                },
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

/// The file and the line that a word consists of.
fn place_of(word: &str) -> Option<(&str, usize)> {
    let (file, line) = word.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// Leaves out functions around another one: a line of both means the inner one.
fn innermost(code: &Code<'_>, found: &[usize]) -> Vec<usize> {
    let is_around = |outer: &Function<'_>, inner: &Function<'_>| {
        let (start, end) = (inner.lines.start(), inner.lines.end());
        outer.file == inner.file
            && outer.lines != inner.lines
            && outer.lines.contains(start)
            && outer.lines.contains(end)
    };
    let of = |number: &usize| &code.functions[*number];
    let kept = found
        .iter()
        .filter(|outer| !found.iter().any(|inner| is_around(of(outer), of(inner))));
    kept.copied().collect()
}

fn is_meant(function: &Function<'_>, files: &[SourceFile], word: &str) -> bool {
    if let Some((file, line)) = place_of(word) {
        return function.lines.contains(&line) && files[function.file].path.ends_with(file);
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
