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
    for difference in in_short(&finding.differences) {
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

/// So many fields that only moved are told one by one.
const MOVED: usize = 2;

/// The differences, those first that somebody made. Where a field comes or goes the compiler moves others.
fn in_short(differences: &[String]) -> Vec<String> {
    let moved = |difference: &&String| {
        let field = difference.strip_prefix("field `");
        field.is_some_and(|field| field.contains("`: offset "))
    };
    let (moved, mut told): (Vec<&String>, Vec<&String>) = differences.iter().partition(moved);
    if told.is_empty() || moved.len() <= MOVED {
        told.extend(moved);
        return told.into_iter().cloned().collect();
    }
    let mut told: Vec<String> = told.into_iter().cloned().collect();
    told.push(format!("{} fields: other offsets", moved.len()));
    told
}

/// Layouts with more lines than this that stand one below the other are told by where they differ.
const LONGEST: usize = 8;

/// A layout's lines, without those that the other has too, maybe at another offset.
fn where_different(layout: &Layout, other: &Layout) -> Layout {
    let content = |line: &str| {
        line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            .to_owned()
    };
    let known: Vec<String> = other.lines.iter().map(|line| content(line)).collect();
    let mut lines: Vec<String> = Vec::new();
    for line in &layout.lines {
        if !known.contains(&content(line)) {
            lines.push(line.clone());
        } else if lines.last().is_none_or(|last| last != ELSE) {
            lines.push(ELSE.to_owned());
        }
    }
    Layout {
        lines,
        ..layout.clone()
    }
}

/// Stands for lines that are left out.
const ELSE: &str = "…";

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
        let (left, right) = match left.len().max(right.len()) > LONGEST {
            true => {
                let new_alone = where_different(new, old);
                let old_alone = where_different(old, new);
                (column(&old_alone, "running"), column(&new_alone, "edited"))
            }
            false => (left, right),
        };
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
    use super::{as_written, in_short, side_by_side};
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
    fn long_layouts_are_told_by_where_they_differ() {
        let layout = |lines: &[String]| Layout {
            name: String::new(),
            size: None,
            align: 8,
            lines: lines.to_vec(),
        };
        let field = |at: usize, name: &str| {
            format!("{at:>5}  {name}: core::option::Option<alloc::string::String>, 24 bytes")
        };
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let old = names
            .iter()
            .enumerate()
            .map(|(at, name)| field(at * 24, name));
        let old: Vec<String> = old.collect();
        let with = ["a", "b", "new", "c", "d", "e", "f", "g", "h", "i"];
        let new = with
            .iter()
            .enumerate()
            .map(|(at, name)| field(at * 24, name));
        let mut text = String::new();
        side_by_side(&mut text, &layout(&old), &layout(&new.collect::<Vec<_>>()));
        let expected = format!(
            "   |   running\n   |     …\n   |   edited\n   |     …\n   |     {}\n   |     …\n",
            field(48, "new")
        );
        assert_eq!(text, expected);
        // A few are shown.
        let mut text = String::new();
        side_by_side(&mut text, &layout(&old[..2]), &layout(&old[..1]));
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn what_somebody_did_comes_before_what_moved() {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        let moved = ["field `a`: offset 0, now 8", "field `b`: offset 8, now 16"];
        let added = "field `new`: added (`u64` at offset 0)";
        assert_eq!(in_short(&lines(&moved)), moved);
        let few = in_short(&lines(&[moved[0], added]));
        assert_eq!(few, [added, moved[0]]);
        let many = in_short(&lines(&[
            moved[0],
            moved[1],
            "field `c`: offset 1, now 2",
            added,
        ]));
        assert_eq!(many, [added, "3 fields: other offsets"]);
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
