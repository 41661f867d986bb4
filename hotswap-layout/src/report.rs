//! Findings as text in three parts: what changed, why it can't go live, what to do.

use std::fmt::Write as _;

use crate::finding::{Finding, Layout, Reached, Verdict};
use crate::names;

/// The text of one finding: what changed, the place where that stands (`file:line:column`, if it
/// is known), the differences, and lines `= why: …` and `= help: …`.
#[must_use]
pub fn finding(finding: &Finding, place: Option<&str>) -> String {
    let mut text = String::new();
    let verb = match finding.verdict {
        Verdict::Safe => "changed, safe",
        Verdict::Migrated => "changed, migrated",
        Verdict::Kept => "changed, kept for old callers",
        Verdict::Refused => "changed",
    };
    line(&mut text, format_args!("`{}` {verb}", finding.subject));
    if let Some(place) = place {
        line(&mut text, format_args!("  --> {place}"));
    }
    line(&mut text, format_args!("   |"));
    for difference in &finding.differences {
        line(&mut text, format_args!("   | {difference}"));
    }
    if let (Some(old), Some(new)) = (&finding.old, &finding.new) {
        line(&mut text, format_args!("   |"));
        side_by_side(&mut text, old, new);
    }
    line(&mut text, format_args!("   |"));
    line(&mut text, format_args!("   = why: {}", finding.reason));
    for reached in &finding.reached {
        line(
            &mut text,
            format_args!("          through {}", through(reached)),
        );
    }
    if !finding.help.is_empty() {
        line(&mut text, format_args!("   = help: {}", finding.help));
    }
    text
}

/// A type's full name as people write it: without the paths of the standard library, its allocator and its hasher.
#[must_use]
pub fn type_name(full: &str) -> String {
    names::readable(full)
}

/// The text of all refusals, each in a paragraph of its own, or nothing if nothing was refused.
#[must_use]
pub fn refusal(findings: &[Finding], place: impl Fn(&Finding) -> Option<String>) -> Option<String> {
    let refused = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Refused);
    let texts: Vec<String> = refused
        .map(|finding| self::finding(finding, place(finding).as_deref()))
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Layouts that need more columns than this side by side stand one below the other.
const WIDEST: usize = 100;

/// Columns around two layouts side by side.
const FRAME: usize = 10;

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{arguments}");
}

fn through(reached: &Reached) -> String {
    let steps = as_written(&reached.path);
    if steps.is_empty() {
        reached.root.clone()
    } else {
        format!("{}: {steps}", reached.root)
    }
}

/// The steps from a root. An entry's arguments are those of a closure: a tuple, in a wrapper each.
fn as_written(path: &[String]) -> String {
    if let [tuple, field, wrapper, rest @ ..] = path
        && tuple == "<Args>"
        && wrapper == "<T>"
        && let Some(Ok(number)) = field.strip_prefix('.').map(str::parse::<usize>)
    {
        return format!("argument {}{}", number + 1, rest.concat());
    }
    path.concat()
}

fn side_by_side(text: &mut String, old: &Layout, new: &Layout) {
    let column = |layout: &Layout, which: &str| {
        let mut lines = vec![format!("{which}{}", dimensions(layout))];
        lines.extend(layout.lines.iter().map(|line| format!("  {line}")));
        lines
    };
    let (left, right) = (column(old, "running"), column(new, "edited"));
    let longest = |lines: &[String]| {
        let lengths = lines.iter().map(|line| line.chars().count());
        lengths.max().unwrap_or(0)
    };
    let width = longest(&left);
    if FRAME + width + longest(&right) > WIDEST {
        for row in left.iter().chain(&right) {
            line(text, format_args!("   |   {row}"));
        }
        return;
    }
    for at in 0..left.len().max(right.len()) {
        let left = left.get(at).map_or("", String::as_str);
        let right = right.get(at).map_or("", String::as_str);
        let row = format!("   |   {left:<width$} | {right}");
        line(text, format_args!("{}", row.trim_end()));
    }
}

fn dimensions(layout: &Layout) -> String {
    match (layout.size, layout.align) {
        (Some(size), 0) => format!(" ({size} bytes)"),
        (Some(size), align) => format!(" ({size} bytes, aligned to {align})"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{as_written, side_by_side};
    use crate::finding::Layout;

    #[test]
    fn layouts_stand_side_by_side_where_that_fits() {
        let layout = |lines: &[&str]| Layout {
            name: String::new(),
            size: Some(8),
            align: 8,
            lines: lines.iter().map(ToString::to_string).collect(),
        };
        let text = |old: &str, new: &str| {
            let mut text = String::new();
            side_by_side(&mut text, &layout(&[old]), &layout(&[new]));
            text
        };
        let wide = "0  map: std::collections::HashMap<String, Vec<u32>>, 48 bytes";
        assert_eq!(
            text("0  a: u32", "0  a: u64"),
            "   |   running (8 bytes, aligned to 8) | edited (8 bytes, aligned to 8)\n   \
             |     0  a: u32                     |   0  a: u64\n"
        );
        assert_eq!(
            text(wide, "0  a: u64"),
            format!(
                "   |   running (8 bytes, aligned to 8)\n   |     {wide}\n   \
                 |   edited (8 bytes, aligned to 8)\n   |     0  a: u64\n"
            )
        );
    }

    #[test]
    fn arguments_of_an_entry_are_called_so() {
        for (path, expected) in [
            (
                &["<Args>", ".0", "<T>", "*", ".queue"][..],
                "argument 1*.queue",
            ),
            (&["<Args>", ".1", "<T>"], "argument 2"),
            (&["<Args>", ".0", ".hp"], "<Args>.0.hp"),
            (&[".0", "<T>"], ".0<T>"),
            (&[], ""),
        ] {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            assert_eq!(as_written(&path), expected);
        }
    }
}
