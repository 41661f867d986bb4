//! Edited functions that go on running old code, and why.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use memchr::memmem::Finder;

use crate::edits;
use crate::entries::EntryFacts;
use crate::events::{OldCause, StillOld};
use crate::hooks::HookFacts;
use crate::reach::{self, Graph};
use crate::unit::ObjectFile;

/// Where new code begins to run.
pub struct Roots<'a> {
    /// The image's entries.
    pub entries: &'a [EntryFacts],
    /// The version's functions that run at swaps.
    pub hooks: &'a [HookFacts],
}

/// Functions that were edited and that no entry leads to: whoever runs them now goes on in the
/// old code. `crates` are the names of those that can be edited. `graph` is that of the image; `kept` are the statics
/// that stay as they are: what their initial values point at is code of the version that they come from. `objects` are
/// the image's, and may be more.
pub fn still_old<'object>(
    (edited, crates): (&BTreeSet<String>, &BTreeSet<&str>),
    graph: &Graph,
    roots: &Roots<'_>,
    kept: &HashSet<&str>,
    objects: impl IntoIterator<Item = &'object ObjectFile> + Clone,
) -> Vec<StillOld> {
    if edited.is_empty() {
        return Vec::new();
    }
    let mut candidates = candidates_among(graph.functions(), edited, crates);
    let have_code = candidates.values();
    let have_code = have_code
        .filter_map(|path| edits::edited_name(path))
        .collect();
    let without_code = edited - &have_code;
    if !without_code.is_empty() {
        // An optimised function may be nowhere but in those that call it.
        graph.add_inlined(objects.clone());
        candidates.extend(candidates_among(
            graph.inlined_functions(),
            &without_code,
            crates,
        ));
    }
    if candidates.is_empty() {
        return Vec::new();
    }
    let current = roots.entries.iter();
    let bodies = current.map(|entry| entry.body_symbol.as_str());
    let hooks = roots.hooks.iter().map(|hook| hook.function.as_str());
    let bodies: Vec<&str> = bodies.chain(hooks).collect();
    let entries: BTreeSet<&str> = roots
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect();
    let all: BTreeSet<&str> = candidates.values().map(String::as_str).collect();
    let not_reached = || -> Vec<&str> {
        let reached = graph.reached(bodies.iter().copied(), kept, candidates.keys().copied());
        let new = paths_among(&candidates, &reached);
        let all = all.iter().copied();
        all.filter(|path| !new.contains(path) && !entries.contains(path))
            .collect()
    };
    let mut old = not_reached();
    if !old.is_empty() {
        graph.add_inlined(objects);
        old = not_reached();
    }
    if old.is_empty() {
        return Vec::new();
    }
    let mains = graph.functions().filter(|symbol| symbol.ends_with("4main"));
    let mains = mains.filter(|symbol| reach::is_main(symbol));
    let from_main = graph.reached(mains, kept, candidates.keys().copied());
    let from_main = paths_among(&candidates, &from_main);
    let old = old.into_iter();
    old.map(|function| found_old(function, from_main.contains(function)))
        .collect()
}

/// The functions that were edited, by symbol and path. Only names that contain an edited
/// identifier are demangled: there are tens of thousands.
fn candidates_among<'graph>(
    functions: impl Iterator<Item = &'graph str>,
    edited: &BTreeSet<String>,
    crates: &BTreeSet<&str>,
) -> BTreeMap<&'graph str, String> {
    let identifiers: BTreeSet<&str> = edited
        .iter()
        .map(|path| path.rsplit("::").next().unwrap_or(path))
        .collect();
    let identifiers: Vec<Finder<'_>> = identifiers.into_iter().map(Finder::new).collect();
    let symbols = functions.filter(|symbol| {
        let has = |name: &Finder<'_>| name.find(symbol.as_bytes()).is_some();
        symbol.starts_with("_R") && identifiers.iter().any(has)
    });
    let with_paths = symbols.map(|symbol| (symbol, reach::function_path(symbol)));
    with_paths
        .filter(|(_, path)| edits::edited_name(path).is_some_and(|name| edited.contains(&name)))
        .filter(|(_, path)| can_be_of(crates, path))
        .collect()
}

/// Whether one of these crates can have written the function with this path: others have functions of the same name,
/// whose code is in these crates' objects where it is generic or inlined.
fn can_be_of(crates: &BTreeSet<&str>, path: &str) -> bool {
    // An implementation is of its type's crate, its trait's, or one of a type that either of them is given.
    let wholes: Vec<&str> = match path.starts_with('<') {
        true => path.split(|letter| !is_of_path(letter)).collect(),
        false => vec![path],
    };
    let mut roots = wholes
        .into_iter()
        .filter_map(|path| path.split("::").next());
    roots.any(|root| crates.contains(root))
}

fn is_of_path(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | ':')
}

/// The paths of those candidates that are among these symbols.
fn paths_among<'a>(
    candidates: &'a BTreeMap<&str, String>,
    symbols: &BTreeSet<&str>,
) -> BTreeSet<&'a str> {
    let among = candidates
        .iter()
        .filter(|(symbol, _)| symbols.contains(**symbol));
    among.map(|(_, path)| path.as_str()).collect()
}

fn found_old(function: &str, from_main: bool) -> StillOld {
    let mark = "mark it, or a function that calls it, with `#[hotswap::entry]`";
    let (cause, reason) = if function.ends_with("::main") {
        let reason = "it runs already, and a running function is not replaced".to_owned();
        (OldCause::Running, reason)
    } else if from_main {
        let only = "only from `main`, which runs already";
        let reason = format!("not reached from any entry, {only}; {mark}");
        (OldCause::Unreached, reason)
    } else {
        (
            OldCause::Unreached,
            format!("not reached from any entry; {mark}"),
        )
    };
    StillOld {
        function: function.to_owned(),
        cause,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_other_crates_are_not_edited() {
        let crates = BTreeSet::from(["app", "util"]);
        for (path, expected) in [
            ("app::swap", true),
            ("app::m::swap", true),
            ("util::swap", true),
            ("core::mem::swap", false),
            ("<app::m::Error as core::fmt::Display>::fmt", true),
            ("<std::io::Error as core::fmt::Display>::fmt", false),
            ("<alloc::vec::Vec<u8> as util::Named>::name", true),
            (
                "<anyhow::Error as core::convert::From<&app::Error>>::from",
                true,
            ),
            (
                "<anyhow::Error as core::convert::From<std::io::Error>>::from",
                false,
            ),
            ("<(app::A, u8) as core::cmp::Ord>::cmp", true),
            ("<core::app::A>::cmp", false),
            ("<apply::A>::cmp", false),
        ] {
            assert_eq!(can_be_of(&crates, path), expected, "{path}");
        }
    }
}
