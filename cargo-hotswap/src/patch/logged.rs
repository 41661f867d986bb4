//! The entries whose calls a patch tells of.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::entries::EntryFacts;

/// More than anybody would read through.
const MOST_LISTED: usize = 20;

/// The entries that were asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Logged {
    /// All that will tell of their calls, by path.
    pub(super) paths: BTreeSet<String>,
    /// How their descriptors name them.
    pub(super) names: Vec<String>,
}

/// Finds entries by their paths, or by the ends of these.
///
/// # Errors
///
/// There is no such entry, or more than one.
pub(super) fn choose(entries: &[EntryFacts], asked: &[String]) -> Result<Logged> {
    let entries: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.name.as_str()))
        .collect();
    choose_among(&entries, asked)
}

/// The same; an entry is its path and its descriptor's name.
fn choose_among(entries: &[(&str, &str)], asked: &[String]) -> Result<Logged> {
    let mut names = BTreeSet::new();
    for asked in asked {
        let end = format!("::{asked}");
        let whole = entries.iter().filter(|(path, _)| path == asked);
        let mut found: Vec<_> = whole.collect();
        if found.is_empty() {
            found.extend(entries.iter().filter(|(path, _)| path.ends_with(&end)));
        }
        match found.as_slice() {
            [(_, name)] => names.insert((*name).to_owned()),
            [] => bail!(
                "the program has no entry `{asked}`\n  = help: {}",
                listed(entries.iter().map(|(path, _)| *path))
            ),
            many => bail!(
                "more than one entry is called `{asked}`\n  = help: {}",
                listed(many.iter().map(|(path, _)| *path))
            ),
        };
    }
    // In one module, methods of one name are told apart by their types, which the attribute does not see.
    let among = entries.iter().filter(|(_, name)| names.contains(*name));
    Ok(Logged {
        paths: among.map(|(path, _)| (*path).to_owned()).collect(),
        names: names.into_iter().collect(),
    })
}

fn listed<'a>(paths: impl Iterator<Item = &'a str>) -> String {
    let paths: Vec<String> = paths.map(|path| format!("`{path}`")).collect();
    match paths.len() {
        0 => "it has no entry at all".to_owned(),
        all if all > MOST_LISTED => format!(
            "its entries are {} and {} more",
            paths[..MOST_LISTED].join(", "),
            all - MOST_LISTED
        ),
        _ => format!("its entries are {}", paths.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: [(&str, &str); 4] = [
        ("web::hello", "web::hello"),
        ("web::rooms::hello", "web::rooms::hello"),
        ("<web::Room as web::Say>::say", "web::rooms::say"),
        ("<web::Hall as web::Say>::say", "web::rooms::say"),
    ];

    #[test]
    fn entries_by_their_paths() {
        for (asked, paths, names) in [
            ("web::hello", &["web::hello"][..], &["web::hello"]),
            (
                "rooms::hello",
                &["web::rooms::hello"],
                &["web::rooms::hello"],
            ),
            (
                "<web::Room as web::Say>::say",
                &[
                    "<web::Hall as web::Say>::say",
                    "<web::Room as web::Say>::say",
                ],
                &["web::rooms::say"],
            ),
        ] {
            let logged = choose_among(&ENTRIES, &[asked.to_owned()]).unwrap();
            assert!(logged.paths.iter().eq(paths), "{asked}: {logged:?}");
            assert_eq!(logged.names, names);
        }
        assert_eq!(choose_among(&ENTRIES, &[]).unwrap(), Logged::default());
    }

    #[test]
    fn what_is_no_entry_or_several() {
        for (asked, expected) in [
            ("hello", "more than one entry is called `hello`"),
            ("ello", "the program has no entry `ello`"),
            ("", "the program has no entry ``"),
        ] {
            let error = choose_among(&ENTRIES, &[asked.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error = choose_among(&[], &["a".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no entry at all"));
    }
}
