//! Statics that have another name than the one that the program knows them by, as their sources say:
//! `#[hotswap(was = "OLD")]`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hotswap_object::StaticFacts;

use crate::places::as_written;
use crate::unit::UnitId;

/// By unit and path in the source the path that a static is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed(BTreeMap<(UnitId, String), String>);

/// Why a renamed static can't go live: its path, and the reason.
pub type Refused = (String, String);

impl Renamed {
    /// Adds the statics of a unit whose names differ. `known` are those that the program has of the unit, and
    /// `before` tells what was renamed in the version that is current.
    ///
    /// What a static was called counts while nothing else has that name, and stays known when the source says it
    /// no more.
    pub fn add_unit(
        &mut self,
        unit: &UnitId,
        statics: &[StaticFacts],
        known: &[StaticFacts],
        before: &Self,
    ) -> Vec<Refused> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let mut refused = Vec::new();
        for facts in statics {
            let path = owner(&facts.path);
            if found.iter().any(|(other, _)| *other == path) {
                continue;
            }
            let renamed = match (before.of(unit, path), &facts.was) {
                (Some(known_by), _) => Ok(Some(known_by)),
                (None, Some(was)) => before.first_name(unit, path, was, known),
                (None, None) => Ok(None),
            };
            let renamed = renamed.map(|it| it.filter(|known_by| !has(statics, known_by)));
            match renamed {
                Ok(None) => {}
                Ok(Some(known_by)) => match found.iter().find(|(_, other)| *other == known_by) {
                    Some((other, _)) => refused.push((
                        path.to_owned(),
                        format!(
                            "it and `{}` say that they were `{}`",
                            as_written(other),
                            as_written(known_by)
                        ),
                    )),
                    None => found.push((path, known_by)),
                },
                Err(reason) if refused.iter().any(|(other, _)| *other == path) => drop(reason),
                Err(reason) => refused.push((path.to_owned(), reason)),
            }
        }
        let found = found.into_iter();
        self.0.extend(found.map(|(path, known_by)| {
            let name = (unit.clone(), path.to_owned());
            (name, known_by.to_owned())
        }));
        refused
    }

    /// The path that a static is known by which says that it was `was`; none if it has one of its own.
    fn first_name<'a>(
        &'a self,
        unit: &UnitId,
        path: &str,
        was: &'a str,
        known: &[StaticFacts],
    ) -> Result<Option<&'a str>, String> {
        let first = self.of(unit, was).unwrap_or(was);
        match (has(known, path), has(known, first)) {
            // Written for an edit that went live in an earlier process.
            (true, false) => Ok(None),
            (false, true) => Ok(Some(first)),
            // It began afresh, and now says whose value it is to have; or it said so from the beginning.
            (true, true) => {
                let own = known.iter().rev().find(|facts| owner(&facts.path) == path);
                let new = own.is_none_or(|facts| facts.was.as_deref() != Some(was));
                Ok(new.then_some(first))
            }
            (false, false) => Err(format!(
                "it says that it was `{}`, which the program does not have: write the name that it has \
                 there, or take `was` away",
                as_written(was)
            )),
        }
    }

    /// Whether a static of this unit is among them.
    pub fn has(&self, unit: &UnitId) -> bool {
        self.0.keys().any(|(of, _)| of == unit)
    }

    fn of(&self, unit: &UnitId, path: &str) -> Option<&str> {
        let known_by = self.0.get(&(unit.clone(), path.to_owned()))?;
        Some(known_by)
    }

    /// The path that the static of this path is known by.
    pub fn known_by<'a>(&self, unit: &UnitId, path: &'a str) -> Cow<'a, str> {
        let of = owner(path);
        match self.of(unit, of) {
            Some(known_by) => Cow::Owned(format!("{known_by}{}", &path[of.len()..])),
            None => Cow::Borrowed(path),
        }
    }

    /// What is renamed here and was not before: unit, path in the source, and the path that it is known by.
    pub fn since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a UnitId, &'a str, &'a str)> {
        let all = self.0.iter();
        let new = all.filter(|(name, known_by)| before.0.get(name) != Some(known_by));
        new.map(|((unit, path), known_by)| (unit, path.as_str(), known_by.as_str()))
    }
}

fn has(statics: &[StaticFacts], path: &str) -> bool {
    statics.iter().any(|facts| owner(&facts.path) == path)
}

/// The path of the item that a static belongs to: a thread-local consists of several.
fn owner(path: &str) -> &str {
    as_written(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::UnitKind;

    fn facts(path: &str) -> StaticFacts {
        let facts = serde_json::json!({
            "symbol": path, "path": path, "storage": "Data", "size": 8, "align": 8, "bytes": 0,
            "pointers": [], "wish": null, "was": null,
        });
        serde_json::from_value(facts).expect("facts")
    }

    /// Statics from `NAME` or `NAME<OLD`, separated by spaces.
    fn statics(text: &str) -> Vec<StaticFacts> {
        let parts = text.split(' ').filter(|part| !part.is_empty());
        let of = |part: &str| {
            let (name, was) = match part.split_once('<') {
                Some((name, was)) => (name, Some(was)),
                None => (part, None),
            };
            let mut facts = facts(name);
            facts.was = was.map(str::to_owned);
            facts
        };
        parts.map(of).collect()
    }

    #[test]
    fn names_count_while_nothing_else_has_them() {
        let unit = UnitId {
            package: "app".into(),
            name: "app".into(),
            kind: UnitKind::Executable,
        };
        // The program's statics, and each version's with what becomes of them.
        for (known, versions) in [
            ("A", ["B<A=B is A", "B=B is A"].as_slice()),
            ("A", &["A B<A="]),
            ("A", &["B<A=B is A", "C<B=C is A", "A="]),
            ("A", &["B<A=B is A", "A B<A="]),
            ("B", &["B<A="]),
            ("A B", &["B<A=B is A", "B=B is A"]),
            ("A B<A", &["B<A="]),
            (
                "X",
                &["B<A=B refused: was `A`, which the program does not have"],
            ),
            (
                "A",
                &["B<A C<A=B is A, C refused: it and `B` say that they were `A`"],
            ),
            (
                "app::T::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
                &["app::U::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL<app::T=app::U is app::T"],
            ),
        ] {
            let known = statics(known);
            let mut before = Renamed::default();
            for version in versions {
                let (patch, expected) = version.split_once('=').unwrap();
                let mut renamed = Renamed::default();
                let refused = renamed.add_unit(&unit, &statics(patch), &known, &before);
                let names = renamed.0.iter();
                let names = names.map(|((_, path), known_by)| format!("{path} is {known_by}"));
                let found: Vec<String> = names
                    .chain(
                        refused
                            .iter()
                            .map(|(path, why)| format!("{path} refused: {why}")),
                    )
                    .collect();
                let found = found.join(", ");
                let (start, part) = expected.split_once("refused: ").unwrap_or((expected, ""));
                assert!(
                    found.starts_with(start) && found.contains(part),
                    "{version}: {found}"
                );
                assert_eq!(found.is_empty(), expected.is_empty(), "{version}: {found}");
                before = renamed;
            }
        }
    }

    #[test]
    fn the_parts_of_a_thread_local_go_with_it() {
        let unit = UnitId {
            package: "app".into(),
            name: "app".into(),
            kind: UnitKind::Library,
        };
        let part = "::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL";
        let mut renamed = Renamed::default();
        let statics = statics(&format!("app::U{part}<app::T"));
        let known = [facts(&format!("app::T{part}"))];
        assert_eq!(
            renamed.add_unit(&unit, &statics, &known, &Renamed::default()),
            []
        );
        let path = format!("app::U{part}");
        assert_eq!(renamed.known_by(&unit, &path), format!("app::T{part}"));
        assert_eq!(renamed.known_by(&unit, "app::UV"), "app::UV");
    }
}
