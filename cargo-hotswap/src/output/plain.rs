//! Texts of others on a terminal: what would steer it, make lines of its own, or show letters in another order, is written
//! as JSON writes it.

use std::fmt::Write as _;

/// A text that somebody else has made, as a part of one line: a name, a path, what a file says of itself.
///
/// All other letters stay as they are.
///
/// ```
/// assert_eq!(cargo_hotswap::output::plain("größe\u{1b}[2J"), r"größe\u001b[2J");
/// ```
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        push(&mut shown, letter);
    }
    shown
}

/// Lines that somebody else has made: they stay lines, and have no colours, of which one shows nothing.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    shown(text, |_| 0)
}

/// All that is written, before it is: lines and colours stay. JSON has the same meaning afterwards.
pub(super) fn guarded(text: &str) -> String {
    shown(text, colour)
}

/// A text whose lines stay, and those orders whose length is given.
fn shown(text: &str, order: impl Fn(&str) -> usize) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let ours = match letter {
            '\n' | '\t' => 1,
            '\r' if rest.starts_with("\r\n") => 2,
            '\u{1b}' => order(rest),
            _ => 0,
        };
        match ours {
            0 => push(&mut shown, letter),
            _ => shown.push_str(&rest[..ours]),
        }
        rest = &rest[ours.max(letter.len_utf8())..];
    }
    shown
}

/// The length of the order for another colour with which a text begins, 0 if it does not.
fn colour(text: &str) -> usize {
    let Some(order) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = order.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
    match end {
        Some(end) if order[end..].starts_with('m') => "\u{1b}[".len() + end + 1,
        _ => 0,
    }
}

fn push(shown: &mut String, letter: char) {
    match letter {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        // Each of them has four digits.
        _ if steers(letter) => {
            let _ = write!(shown, "\\u{:04x}", u32::from(letter));
        }
        _ => shown.push(letter),
    }
}

/// Whether a terminal does something else with it than to show it where it stands: controls, what separates lines, and
/// what Unicode calls `Bidi_Control`.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::{guarded, plain, plain_lines};

    #[test]
    fn nothing_steers_a_terminal() {
        // What it is as a part of a line, and where it is written.
        for (text, as_part, written) in [
            ("", "", ""),
            (
                "größe 世界 🦀 a\\b \"c\"",
                "größe 世界 🦀 a\\b \"c\"",
                "größe 世界 🦀 a\\b \"c\"",
            ),
            ("a\nb", r"a\nb", "a\nb"),
            ("a\tb", r"a\tb", "a\tb"),
            ("a\r\nb", r"a\r\nb", "a\r\nb"),
            ("good\rbad", r"good\rbad", r"good\rbad"),
            (
                "\u{1b}[31;1mred\u{1b}[m",
                r"\u001b[31;1mred\u001b[m",
                "\u{1b}[31;1mred\u{1b}[m",
            ),
            (
                "\u{1b}[2J\u{1b}[H",
                r"\u001b[2J\u001b[H",
                r"\u001b[2J\u001b[H",
            ),
            ("\u{1b}[3", r"\u001b[3", r"\u001b[3"),
            ("\u{1b}", r"\u001b", r"\u001b"),
            (
                "\u{1b}]0;title\u{7}",
                r"\u001b]0;title\u0007",
                r"\u001b]0;title\u0007",
            ),
            (
                "\u{1b}]52;c;AAAA\u{1b}\\",
                r"\u001b]52;c;AAAA\u001b\",
                r"\u001b]52;c;AAAA\u001b\",
            ),
            (
                "\u{9b}2J\u{7f}\u{8}\0",
                r"\u009b2J\u007f\u0008\u0000",
                r"\u009b2J\u007f\u0008\u0000",
            ),
            (
                "a\u{202e}b\u{2066}c",
                r"a\u202eb\u2066c",
                r"a\u202eb\u2066c",
            ),
            (
                "\u{61c}\u{200f}\u{2028}",
                r"\u061c\u200f\u2028",
                r"\u061c\u200f\u2028",
            ),
        ] {
            assert_eq!(plain(text), as_part, "{text:?}");
            assert_eq!(guarded(text), written, "{text:?}");
            let lines = plain_lines(text);
            assert_eq!(lines, written.replace('\u{1b}', r"\u001b"), "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            let read: String = serde_json::from_str(&guarded(&json)).unwrap();
            assert_eq!(read, text);
        }
    }
}
