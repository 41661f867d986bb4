//! The colours of cargo and of the compiler, and lines that fit a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Effects, Style};
use unicode_width::UnicodeWidthStr;

/// What was done.
pub const GOOD: Style = AnsiColor::BrightGreen.on_default().effects(Effects::BOLD);
/// What is told beside it.
pub const INFO: Style = AnsiColor::BrightCyan.on_default().effects(Effects::BOLD);
/// What one might not expect.
pub const WARN: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
/// What failed.
pub const ERROR: Style = AnsiColor::BrightRed.on_default().effects(Effects::BOLD);
/// What to do.
pub const HELP: Style = AnsiColor::BrightCyan.on_default().effects(Effects::BOLD);
/// Arrows and lines at the side of an excerpt.
pub const GUTTER: Style = AnsiColor::BrightBlue.on_default().effects(Effects::BOLD);
/// Emphasis.
pub const BOLD: Style = Style::new().effects(Effects::BOLD);

/// The columns that a verb takes, with the space after it.
const VERB: usize = 13;

/// A piece of text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A line as cargo writes it: the verb right-aligned in twelve columns.
pub fn status(style: Style, verb: &str, text: &str) -> String {
    format!("{} {text}\n", paint(style, format_args!("{verb:>12}")))
}

/// Some of these names, and how many there are beyond.
fn some(names: &[String], shown: usize) -> String {
    if shown >= names.len() {
        return names.join(", ");
    }
    let more = names.len() - shown;
    format!("{} and {more} more", names[..shown].join(", "))
}

/// No line has room for more names of one list.
const MOST: usize = 16;

/// A text that names as many of two lists as fit behind a verb. A name is shown in full or not at
/// all; the first of each list is always shown, so that a narrow terminal wraps the line.
///
/// `width` is the terminal's, in columns; without one, everything is shown. `compose` makes the
/// text from the lists' texts.
pub fn fitted(
    width: Option<usize>,
    [first, second]: [&[String]; 2],
    compose: impl Fn(&str, &str) -> String,
) -> String {
    let text = |shown: (usize, usize)| compose(&some(first, shown.0), &some(second, shown.1));
    let all = text((first.len(), second.len()));
    let fits = |text: &String| width.is_none_or(|width| VERB + text.width() <= width);
    if fits(&all) {
        return all;
    }
    let counts = |names: &[String]| names.len().min(1)..=names.len().min(MOST);
    let pairs = counts(first).flat_map(|one| counts(second).map(move |two| (one, two)));
    let fitting = pairs.filter(|shown| fits(&text(*shown)));
    let most = fitting.max_by_key(|shown| (shown.0 + shown.1, shown.0));
    text(most.unwrap_or((1, 1)))
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn names_are_shown_in_full_or_not_at_all() {
        let files = ["src/main.rs", "src/room.rs", "src/world/mod.rs"].map(str::to_owned);
        let entries = ["greet", "serve"].map(str::to_owned);
        let compose = |files: &str, entries: &str| format!("{files} ({entries})");
        for (width, expected) in [
            (
                None,
                "src/main.rs, src/room.rs, src/world/mod.rs (greet, serve)",
            ),
            (
                Some(70),
                "src/main.rs, src/room.rs, src/world/mod.rs (greet, serve)",
            ),
            (
                Some(69),
                "src/main.rs, src/room.rs and 1 more (greet, serve)",
            ),
            (Some(62), "src/main.rs and 2 more (greet, serve)"),
            (Some(50), "src/main.rs and 2 more (greet, serve)"),
            (Some(1), "src/main.rs and 2 more (greet and 1 more)"),
        ] {
            let text = fitted(width, [&files, &entries], compose);
            assert_eq!(text, expected, "{width:?}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let files = ["src/世界.rs", "src/挨拶.rs"].map(str::to_owned);
        for (width, expected) in [
            (36, "src/世界.rs and 1 more"),
            (37, "src/世界.rs, src/挨拶.rs"),
        ] {
            let text = fitted(Some(width), [&files, &[]], |files, _| files.to_owned());
            assert_eq!(text, expected);
        }
    }
}
